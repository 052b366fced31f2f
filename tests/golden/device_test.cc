// The golden runs on a device whose memory the host cannot touch, and whose results reach the
// host only by Copy and Event: no code beside the ops' reads or writes it, and the numbers are
// those of the CPU to the bit.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/tensor/guarded_memory_for_test.h"
#include "tests/golden/golden_run.h"
#include "tests/golden/thread_group.h"

namespace galley::golden {
namespace {

void ExpectSameBits(const std::vector<Step>& a, const std::vector<Step>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].loss, b[i].loss) << "step " << i + 1;
    EXPECT_EQ(a[i].grad_norm, b[i].grad_norm) << "step " << i + 1;
  }
}

class GuardedDevice : public testing::TestWithParam<std::string> {
 protected:
  recipe::RecipeSpec spec_ = LoadRecipe(GetParam());
  GuardedMemory memory_;
  Device device_{.memory = &memory_};
};

TEST_P(GuardedDevice, GivesTheBitsOfTheCpu) {
  for (recipe::Compute compute : {recipe::Compute::kF32, recipe::Compute::kBF16}) {
    spec_.precision.compute = compute;
    ExpectSameBits(Train(spec_, {.device = device_}), Train(spec_));
  }
}

TEST_P(GuardedDevice, AndWithTwoRanks) {
  spec_.batch.rampup.reset();
  std::vector<Step> runs[2];
  for (const Device& device : {device_, Device()}) {
    ThreadGroup(2).Run([&](comm::Group* group) {
      std::vector<Step> run = Train(spec_, {.group = group, .bucket_bytes = 1 << 16, .device = device});
      if (group->rank() == 0) runs[device.memory == &memory_ ? 0 : 1] = run;
    });
  }
  ExpectSameBits(runs[0], runs[1]);
}

INSTANTIATE_TEST_SUITE_P(Families, GuardedDevice, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace galley::golden
