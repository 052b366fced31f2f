// Every file of cases/ is a test: a recipe, and its faults to the line and column.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/prepare/prepare.h"
#include "tests/recipes/case.h"
#include "tests/support/paths.h"

namespace galley {
namespace {

std::string CasesDir() { return SourceDir() + "/tests/recipes/cases"; }

class RecipeCases : public testing::TestWithParam<std::string> {};

// Faults name files as the user does, so the case runs in the folder of its files.
class InFolder {
 public:
  InFolder() { EXPECT_EQ(chdir(dir_.path().c_str()), 0); }
  ~InFolder() { EXPECT_EQ(chdir("/"), 0); }

 private:
  TempDir dir_;
};

TEST_P(RecipeCases, Holds) {
  const RecipeCase c = ReadCase(JoinPath(CasesDir(), GetParam()));
  const InFolder folder;
  for (const auto& [name, contents] : c.files) {
    ASSERT_TRUE(MakeDirs(DirName(name)).ok());
    ASSERT_TRUE(AtomicWrite(name, contents).ok());
  }
  const prepare::PrepareResult result = prepare::PrepareFile("recipe.yaml", c.sets);
  EXPECT_EQ(recipe::FormatFaults(result.faults) + (result.prepared ? "valid\n" : ""), c.expect);
  EXPECT_EQ(result.prepared.has_value(), !recipe::HasErrors(result.faults));
  if (!result.prepared) return;

  const std::string origins = recipe::RenderOrigins(result.text);
  if (!c.origins.empty()) {
    EXPECT_EQ(origins, c.origins);
  }
  size_t at = 0;
  for (const std::string& line : c.has) {
    const size_t found = origins.find(line + "\n", at);
    EXPECT_NE(found, std::string::npos) << line << " is not in\n" << origins;
    at = found == std::string::npos ? at : found + line.size();
  }
  // Loading the canonical text gives the same faults at the same origins, and the same plan.
  const prepare::PrepareResult again = prepare::Prepare(result.text);
  ASSERT_TRUE(again.prepared);
  EXPECT_EQ(recipe::FormatFaults(again.faults), recipe::FormatFaults(result.faults));
  EXPECT_EQ(again.prepared->plan.hash, result.prepared->plan.hash);
}

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  const std::vector<std::string> files = ListDir(CasesDir()).value();
  for (const std::string& name : files) {
    if (absl::EndsWith(name, ".case")) names.push_back(name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, RecipeCases, testing::ValuesIn(Cases()), [](const auto& info) {
  return std::string(absl::StripSuffix(info.param, ".case"));
});

}  // namespace
}  // namespace galley
