// Mixed text by the rule of sample_text.py: the same seed, the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galley::tokenizer {

// At least `size` bytes of valid UTF-8 without NUL.
std::string SampleText(uint64_t seed, size_t size, const std::vector<std::string>& snippets);

// The same with bytes that are no UTF-8, NUL and control characters in it.
std::string DamagedText(uint64_t seed, size_t size, const std::vector<std::string>& snippets);

// The chunk of that number of a text of one's own, `size` bytes but for whole characters; empty past the end.
std::string ChunkOfText(const std::string& text, size_t chunk, size_t size);

}  // namespace galley::tokenizer
