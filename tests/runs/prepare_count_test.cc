// A recipe is parsed and planned three times on its way: by trainctl, by the controller and by the rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "runtime/base/file.h"
#include "tests/runs/small_run.h"
#include "tests/support/program.h"

namespace galley {
namespace {

TEST(PrepareCount, EachProgramPreparesTheRecipeOnce) {
  TempDir home;
  testing::PrepareSmallRun(home.path());
  const std::string counts = JoinPath(home.path(), "preparations");
  std::vector<std::string> env = testing::TrainEnv(home.path());
  env.push_back("GALLEY_PREPARATIONS=" + counts);
  const testing::Outcome run =
      testing::Run(testing::TrainArgs(JoinPath(home.path(), "run")), home.path(), 120, env);
  ASSERT_EQ(run.code, 0) << run.err;
  const std::string text = ReadFile(counts).value();
  const std::vector<std::string> programs = absl::StrSplit(text, '\n', absl::SkipEmpty());
  EXPECT_THAT(programs, ::testing::UnorderedElementsAre("trainctl", "galley-controller", "galley-rank",
                                                        "galley-rank"));  // two ranks
}

}  // namespace
}  // namespace galley
