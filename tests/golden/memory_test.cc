// The plan's figure of memory is what a rank holds after its run, scratch of ops included, to the byte.
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/models/describe.h"
#include "runtime/prepare/prepare.h"
#include "runtime/prepare/training_memory.h"
#include "tests/golden/golden_run.h"
#include "tests/support/paths.h"

namespace galley::golden {
namespace {

class MemoryTest : public testing::TestWithParam<std::tuple<std::string, std::string, int>> {};

TEST_P(MemoryTest, ThePlansFigureIsWhatARankHolds) {
  const auto& [family, compute, threads] = GetParam();
  const prepare::PrepareResult result = prepare::PrepareFile(
      absl::StrCat(SourceDir(), "/tests/golden/", family, ".yaml"),
      {absl::StrCat("precision.compute=", compute), absl::StrCat("launcher.threads_per_rank=", threads)});
  ASSERT_TRUE(result.prepared) << recipe::FormatFaults(result.faults);
  const plan::Memory& planned = result.prepared->plan.memory;
  int64_t held = 0;
  Train(result.prepared->spec, {.threads = threads, .memory_bytes = &held});
  EXPECT_EQ(held, planned.total() - planned.snapshot);
  EXPECT_GT(planned.activations, 0);
  EXPECT_EQ(planned.weights > 0, compute == "bf16");
}

// No recipe may ask for it yet; the plan counts it all the same.
TEST(Memory, OfRecomputationToo) {
  recipe::RecipeSpec spec = LoadRecipe("llama");
  spec.recompute.mode = recipe::RecomputeMode::kFull;
  int64_t held = 0;
  Train(spec, {.memory_bytes = &held});
  EXPECT_EQ(held, prepare::MeasureTraining(spec, models::Describe(spec), 1).total());
}

INSTANTIATE_TEST_SUITE_P(Runs, MemoryTest,
                         testing::Combine(testing::Values("gpt2", "llama"), testing::Values("f32", "bf16"),
                                          testing::Values(1, 2)),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param), std::get<1>(info.param),
                                               std::get<2>(info.param), "threads");
                         });

}  // namespace
}  // namespace galley::golden
