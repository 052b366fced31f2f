// A case file: parts that begin with a line "--- KIND ARGUMENTS".
//
//   --- file NAME      the lines below are its contents
//   --- bytes NAME     the same, with \xNN for a byte and %{N:TEXT} for TEXT, N times; no newline at the end
//   --- sets           --set arguments, one a line
//   --- expect         what `trainctl validate recipe.yaml` says: its faults, then "valid" when there is no
//   error
//   --- origins        what `trainctl render --origins` prints, in full
//   --- has            lines that the origins hold, in this order, whatever is between them
//
// What precedes the first part is a comment.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace galley {

struct RecipeCase {
  std::vector<std::pair<std::string, std::string>> files;  // name, contents
  std::vector<std::string> sets;
  std::string expect;
  std::string origins;
  std::vector<std::string> has;
};

RecipeCase ReadCase(const std::string& path);

}  // namespace galley
