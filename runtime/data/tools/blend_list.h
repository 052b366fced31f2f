// Lists of data sets as other programs' users have them: Megatron-LM's --data-path, --data-args-path and
// --per-split-data-args-path, and the three-column file lists of Argonne's Megatron-DeepSpeed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::data {

struct BlendEntry {
  std::string path;  // prefix of .bin and .idx, as it is written in the list
  double weight = 1;
  std::string corpus = {};  // Argonne's third column
  bool operator==(const BlendEntry&) const = default;
};

struct BlendList {
  std::vector<BlendEntry> entries;
  bool weighted = false;  // else Megatron weighs sources by their sizes, and `weight` is 1 throughout
};

// Items of --data-path, in one text or several: an odd number of items, or none of the first, third, ... a
// number, are prefixes alone; all of those numbers, they are weights. Megatron takes some mixtures of both
// for names ("0.3 a b c"), and so reads files that nobody meant: every mixture is refused here. `name` stands
// in errors. kInvalidArgument names the item.
absl::StatusOr<BlendList> ParseDataPath(absl::string_view text, absl::string_view name);

// --per-split-data-args-path: JSON of three keys, each a list of items, one text of them, or null.
struct SplitBlends {
  std::optional<BlendList> train, valid, test;
};
absl::StatusOr<SplitBlends> ParsePerSplit(absl::string_view json, absl::string_view name);

// --data-file-list: "weight prefix corpus" a line; blank lines are passed over, and what follows ".bin" in a
// prefix, the ending with it, is cut off. Errors name the line.
absl::StatusOr<BlendList> ParseFileList(absl::string_view text, absl::string_view name);

// What a weight of such a list may be: what Python's float() takes, if it is finite and not negative.
std::optional<double> ParseWeight(absl::string_view text);

}  // namespace galley::data
