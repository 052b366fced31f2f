// Memory is planned once: after two steps nothing is taken from the heap any more, by Galley, oneDNN or
// OpenMP; and with two ranks, UCX.
#include <cstdint>
#include <ostream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/comm/ranks_for_test.h"
#include "runtime/ops/steady/malloc_counter.h"
#include "tests/golden/golden_run.h"

namespace galley::golden {
namespace {

struct Case {
  std::string family;
  recipe::Compute compute;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.family; }
};

class SteadyMemory : public testing::TestWithParam<Case> {};

TEST_P(SteadyMemory, StepsThreeToTwentyTakeNothingFromTheHeap) {
  if (MallocCalls() < 0) GTEST_SKIP() << "a sanitizer's allocator can not be counted";
  recipe::RecipeSpec spec = LoadRecipe(GetParam().family);
  spec.precision.compute = GetParam().compute;
  int64_t after_two = 0, after_all = 0;
  Train(spec, {.threads = 2, .after_step = [&](int step) {
                 TraceMallocCalls(step >= 2 && step < kSteps);
                 if (step == 2) after_two = MallocCalls();
                 if (step == kSteps) after_all = MallocCalls();
               }});
  EXPECT_GT(after_two, 0);
  EXPECT_EQ(after_all - after_two, 0);
}

TEST_P(SteadyMemory, NorWithTwoRanksOverUcx) {
  if (MallocCalls() < 0) GTEST_SKIP() << "a sanitizer's allocator can not be counted";
  recipe::RecipeSpec spec = LoadRecipe(GetParam().family);
  spec.precision.compute = GetParam().compute;
  spec.batch.rampup.reset();  // the first stage of the ramp is no whole number of micro-batches for two
  comm::RunRanks(2, [&](comm::Group& group) -> std::string {
    int64_t after_two = 0, after_all = 0;
    Train(spec, {.group = &group, .bucket_bytes = 1 << 16, .after_step = [&](int step) {
                   TraceMallocCalls(step >= 2 && step < kSteps);
                   if (step == 2) after_two = MallocCalls();
                   if (step == kSteps) after_all = MallocCalls();
                 }});
    EXPECT_GT(after_two, 0);
    EXPECT_EQ(after_all - after_two, 0) << "rank " << group.rank();
    return "";
  });
}

INSTANTIATE_TEST_SUITE_P(
    Families, SteadyMemory,
    testing::Values(Case{"gpt2", recipe::Compute::kF32}, Case{"gpt2", recipe::Compute::kBF16},
                    Case{"llama", recipe::Compute::kF32}, Case{"llama", recipe::Compute::kBF16}),
    [](const auto& info) {
      return info.param.family + (info.param.compute == recipe::Compute::kF32 ? "F32" : "BF16");
    });

}  // namespace
}  // namespace galley::golden
