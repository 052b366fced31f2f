// did you mean ...?
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace galley::recipe {

// The candidate nearest to `word` (insertions, deletions, replacements, swaps of neighbours), or "" when none
// is near: at most a third of the word's letters wrong, and at least one allowed.
std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates);

// "; did you mean 'hidden'?" or "".
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace galley::recipe
