// How a text is cut into the pieces that byte pairs never cross: the patterns of known vocabularies, each as
// a scanner of our own in one pass, and any other pattern through PCRE2.
//
//   gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   llama3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
//           |\s*[\r\n]+|\s+(?!\S)|\s+
//   cl100k  as llama3, but whitespace up to the end of the text is one piece
//   o200k   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+C?
//           |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*C?|\p{N}{1,3}
//           | ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+     with C = (?i:'s|'t|'re|'ve|'m|'ll|'d)
//   tekken  as o200k, without C and with numbers one by one
#pragma once

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace galley::tokenizer {

// Length in bytes of the piece that begins at p; p < end. The pieces, one after the other, are the text.
// Bytes that are no UTF-8 count as characters that are no letter, number or space.
using PieceFunction = size_t (*)(const char* p, const char* end);

size_t Gpt2Piece(const char* p, const char* end);
size_t Llama3Piece(const char* p, const char* end);
size_t Cl100kPiece(const char* p, const char* end);
size_t O200kPiece(const char* p, const char* end);
size_t TekkenPiece(const char* p, const char* end);

// The scanner called so; null for other names.
PieceFunction NamedSplit(absl::string_view name);
// The scanner of a pattern in one of the ways it is commonly written; null for other patterns.
PieceFunction KnownPattern(absl::string_view pattern);

}  // namespace galley::tokenizer
