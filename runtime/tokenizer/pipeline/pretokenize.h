// Steps that cut a text into pieces, as Hugging Face's pre-tokenizers do.
#pragma once

#include <string>
#include <vector>

#include "runtime/tokenizer/pipeline/pipeline.h"
#include "runtime/tokenizer/text/regex.h"

namespace galley::tokenizer {

// What becomes of the matches that a text is split at.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct Match {
  size_t begin = 0;
  size_t end = 0;
  bool matched = false;  // or it is what lies between matches
};
// Appends the parts of a text, in order, that together are the text.
using Matches = std::function<absl::Status(absl::string_view text, std::vector<Match>& parts)>;

Matches RegexMatches(Regex regex);
Matches LiteralMatches(std::string literal);
// Each character for which `is` holds is a match of its own.
Matches CharMatches(bool (*is)(char32_t));
Matches ScannerMatches(PieceFunction scanner);  // every piece is a match

// `invert` takes matches for gaps and gaps for matches.
PieceStep SplitStep(Matches matches, SplitBehavior behavior, bool invert = false);

// Word characters, or others that are no space, in runs; spaces go.
PieceStep WhitespaceStep();
// Puts a space before each piece that begins with none.
PieceStep PrefixSpaceStep();
// Writes the visible character of each byte.
PieceStep ByteCharsStep();

enum class PrependScheme { kNever, kFirst, kAlways };
// Spaces become `mark`, which is put before pieces by `prepend`; `split` cuts before each mark.
PieceStep MetaspaceStep(std::string mark, PrependScheme prepend, bool split);

bool IsBertPunctuation(char32_t code);

}  // namespace galley::tokenizer
