// What makes two recipes the same run.
#pragma once

#include <string>
#include <vector>

#include "runtime/recipe/spec.h"

namespace galley::recipe {

// What a resume may do with a field.
enum class Resume {
  kFixed,  // may not change: model, data order, seeds
  kWarn,   // may change; the run is then not the one it would have been
  kFree,   // may change
};

// 16 hex digits over the fixed fields. Equal for equal runs whatever the paths, launcher or checkpoint rules.
std::string IdentityHash(const RecipeSpec& spec);

struct Change {
  std::string path;           // "model.hidden"
  std::string before, after;  // canonical text; empty: absent
  Resume rule = Resume::kFree;
};
// Every field that differs: first those of `before`, in the order of the schema, then those only `after` has.
std::vector<Change> Compare(const RecipeSpec& before, const RecipeSpec& after);

}  // namespace galley::recipe
