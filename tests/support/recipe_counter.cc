#include "tests/support/recipe_counter.h"

#include <stdlib.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/paths.h"

namespace galley::testing {

RecipeCounter::RecipeCounter() {
  Set("GALLEY_TEST_RECIPES", JoinPath(folder_.path(), "recipes"));
  Set("LD_PRELOAD", JoinPath(BinDir(), "librecipe_counter.so"));
  // Which wants to be the first library, and need not be for this one.
  const char* asan = getenv("ASAN_OPTIONS");
  Set("ASAN_OPTIONS", absl::StrCat(asan == nullptr ? "" : asan, ":verify_asan_link_order=0"));
}

RecipeCounter::~RecipeCounter() {
  for (const auto& [name, value] : before_) {
    value.has_value() ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }
}

void RecipeCounter::Set(const char* name, const std::string& value) {
  const char* before = getenv(name);
  before_[name] = before == nullptr ? std::nullopt : std::optional<std::string>(before);
  ::setenv(name, value.c_str(), 1);
}

std::vector<std::string> RecipeCounter::Programs() const {
  const std::string text = ReadFile(JoinPath(folder_.path(), "recipes")).value_or("");
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

}  // namespace galley::testing
