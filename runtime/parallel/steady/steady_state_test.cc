// Steps of reducing ask the C library for no memory, neither we nor UCX.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/comm/ranks_for_test.h"
#include "runtime/ops/steady/malloc_counter.h"
#include "runtime/parallel/gradient_reducer.h"

namespace galley::parallel {
namespace {

TEST(SteadyState, StepsOfReducingAllocateNothing) {
  for (int size : {2, 3}) {
    comm::RunRanks(size, [](comm::Group& group) -> std::string {
      constexpr int64_t kCount = 3'000'000;
      std::vector<float> flat(kCount, 1.0f);
      View view(flat.data(), DType::kF32, Shape{kCount});
      GradientReducer reducer(&group, view, 1 << 20);
      double norm = 1;
      int64_t flags[4] = {};
      auto step = [&] {
        reducer.Begin(comm::Cpu());
        for (int64_t offset = kCount - 1000; offset > 0; offset -= 100'000) reducer.ReadyDownTo(offset);
        absl::Status status = reducer.Finish();
        status.Update(group.AllReduceSum(comm::Cpu(), View(&norm, DType::kF64, Shape{1})));
        status.Update(group.AllReduceMax(comm::Cpu(), View(flags, DType::kI64, Shape{4})));
        return status.ok();
      };
      bool ok = true;
      for (int i = 0; i < 3; ++i) ok = step() && ok;  // UCX fills its pools
      EXPECT_TRUE(group.Barrier().ok());
      TraceMallocCalls(true);
      const int64_t before = MallocCalls();
      for (int i = 0; i < 20; ++i) ok = step() && ok;
      TraceMallocCalls(false);
      EXPECT_EQ(MallocCalls(), before);
      EXPECT_TRUE(ok);
      return "";
    });
  }
}

}  // namespace
}  // namespace galley::parallel
