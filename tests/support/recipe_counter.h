// Which programs parsed a recipe, and so planned it: prepare::Prepare alone calls what reads one and what
// plans it, once each, which tests/sources_test.cc holds the sources to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace galley::testing {

// Counts in all programs that are started while it lives, by their environment; and in this process, where it
// is built with recipe_counter_preload.cc.
class RecipeCounter {
 public:
  RecipeCounter();
  ~RecipeCounter();
  RecipeCounter(const RecipeCounter&) = delete;
  RecipeCounter& operator=(const RecipeCounter&) = delete;

  // A program's name for each YAML text that it parsed: the recipe, and one for each base and --set.
  std::vector<std::string> Programs() const;

 private:
  void Set(const char* name, const std::string& value);

  const TempDir folder_;
  std::map<std::string, std::optional<std::string>> before_;  // of the environment
};

}  // namespace galley::testing
