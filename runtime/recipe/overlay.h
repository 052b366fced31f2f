// `base:` and `--set`: one tree over another.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/recipe/node.h"

namespace galley::recipe {

// Maps merge, everything else replaces. Locations are those of the value that stays.
NodePtr Merge(const NodePtr& under, const NodePtr& over);

// "data.train[0].path" as its parts; "[0]" and ".0" both
// name an element. kInvalidArgument when it is no path.
absl::StatusOr<std::vector<std::string>> SplitPath(const std::string& path);

// The tree with `value` instead of what `parts` names; maps on the way are made. The error says which
// part cannot be entered.
absl::StatusOr<NodePtr> SetAt(const NodePtr& root, const std::vector<std::string>& parts,
                              const NodePtr& value);

}  // namespace galley::recipe
