#include "runtime/tokenizer/split/split.h"

namespace galley::tokenizer {
namespace {

struct Known {
  absl::string_view name;
  PieceFunction piece;
  absl::string_view pattern;
};

#define GALLEY_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define GALLEY_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define GALLEY_SHORT R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
#define GALLEY_REST R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"

// The first of a name is the one it stands for. Patterns of one scanner differ in writing (possessive or
// not), never in what they match.
constexpr Known kKnown[] = {
    {"gpt2", Gpt2Piece, R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {"gpt2", Gpt2Piece, R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)"},
    {"gpt2", Gpt2Piece, R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {"llama3", Llama3Piece,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"cl100k", Cl100kPiece,
     R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)"},
    {"o200k", O200kPiece,
     R"([^\r\n\p{L}\p{N}]?)" GALLEY_UPPER "*" GALLEY_LOWER "+" GALLEY_SHORT
     R"(|[^\r\n\p{L}\p{N}]?)" GALLEY_UPPER "+" GALLEY_LOWER "*" GALLEY_SHORT R"(|\p{N}{1,3})" GALLEY_REST},
    {"tekken", TekkenPiece,
     R"([^\r\n\p{L}\p{N}]?)" GALLEY_UPPER "*" GALLEY_LOWER R"(+|[^\r\n\p{L}\p{N}]?)" GALLEY_UPPER
     "+" GALLEY_LOWER R"(*|\p{N})" GALLEY_REST},
};

}  // namespace

PieceFunction NamedSplit(absl::string_view name) {
  for (const Known& known : kKnown) {
    if (known.name == name) return known.piece;
  }
  return nullptr;
}

PieceFunction KnownPattern(absl::string_view pattern) {
  for (const Known& known : kKnown) {
    if (known.pattern == pattern) return known.piece;
  }
  return nullptr;
}

}  // namespace galley::tokenizer
