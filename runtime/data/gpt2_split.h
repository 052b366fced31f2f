// GPT-2's split of a text into the pieces that its byte pairs never cross:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// by hand, in one pass, without a regular expression engine.
#pragma once

#include <cstddef>

namespace galley::data {

// Length in bytes of the piece that begins at p; p < end. The pieces, one after the other, are the text.
size_t Gpt2Piece(const char* p, const char* end);

}  // namespace galley::data
