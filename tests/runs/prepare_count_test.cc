// A recipe is parsed and planned three times on its way: by trainctl, by the controller and by the rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "tests/runs/small_run.h"
#include "tests/support/program.h"
#include "tests/support/recipe_counter.h"

namespace galley {
namespace {

TEST(PrepareCount, EachProgramPreparesTheRecipeOnce) {
  TempDir home;
  testing::PrepareSmallRun(home.path());
  const testing::RecipeCounter counter;
  const testing::Outcome run = testing::Run(testing::TrainArgs(JoinPath(home.path(), "run")), home.path(),
                                            120, testing::TrainEnv(home.path()));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(counter.Programs(),
              ::testing::UnorderedElementsAre("trainctl", "galley-controller", "galley-rank",
                                              "galley-rank"));  // two ranks
}

}  // namespace
}  // namespace galley
