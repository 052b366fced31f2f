// Mixed text by the rule of sample_text.py: the same seed, the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galley::tokenizer {

// At least `size` bytes of valid UTF-8 without NUL.
std::string SampleText(uint64_t seed, size_t size, const std::vector<std::string>& snippets);

}  // namespace galley::tokenizer
