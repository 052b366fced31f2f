// What must not matter to the numbers: how a batch is cut into micro-batches, and over how many ranks. And
// what must give equal bits: the same run twice.
#include <array>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/models/describe.h"
#include "runtime/models/llama/keys.h"
#include "runtime/train/step.h"
#include "tests/golden/golden_run.h"
#include "tests/golden/thread_group.h"

namespace galley::golden {
namespace {

constexpr double kRounding = 1e-5;

bool SameBits(const std::vector<Step>& a, const std::vector<Step>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].loss != b[i].loss || a[i].grad_norm != b[i].grad_norm) return false;
  }
  return a.size() == b.size();
}

class Ranks : public testing::TestWithParam<std::string> {
 protected:
  // No ramp, so that two ranks can share every batch. Buckets so small that each block hands some over.
  Ranks() { spec_.batch.rampup.reset(); }
  std::vector<std::vector<Step>> TrainOn(int ranks) {
    ThreadGroup group(ranks);
    std::vector<std::vector<Step>> runs(static_cast<size_t>(ranks));
    group.Run([&](comm::Group* g) {
      runs[static_cast<size_t>(g->rank())] = Train(spec_, {.group = g, .bucket_bytes = 1 << 16});
    });
    return runs;
  }
  recipe::RecipeSpec spec_ = LoadRecipe(GetParam());
};

TEST_P(Ranks, TheSameRunGivesTheSameBits) {
  EXPECT_TRUE(SameBits(Train(spec_, {.threads = 1}), Train(spec_, {.threads = 1})));
  EXPECT_TRUE(SameBits(Train(spec_, {.threads = 2}), Train(spec_, {.threads = 2})));
  spec_.precision.compute = recipe::Compute::kBF16;
  EXPECT_TRUE(SameBits(Train(spec_, {.threads = 2}), Train(spec_, {.threads = 2})));
}

TEST_P(Ranks, ActivationsMadeAgainGiveTheSameBits) {
  const std::vector<Step> kept = Train(spec_);
  spec_.recompute.mode = recipe::RecomputeMode::kFull;
  EXPECT_TRUE(SameBits(kept, Train(spec_)));
}

TEST_P(Ranks, MicroBatchesOfTwoAndFourAgree) {
  std::vector<Step> two = Train(spec_);
  spec_.batch.micro = 4;
  EXPECT_LE(Distance(two, Train(spec_)), kRounding);
}

TEST_P(Ranks, TwoRanksAgreeWithOneAndWithEachOther) {
  std::vector<std::vector<Step>> two = TrainOn(2);
  EXPECT_LE(Distance(two[0], Train(spec_)), kRounding);
  EXPECT_TRUE(SameBits(two[0], two[1]));
}

// A gpt2 always has one.
TEST_P(Ranks, ATiedHeadIsSummedWhole) {
  if (GetParam() == "llama") spec_.model.keys.As<models::LlamaKeys>().tied_embeddings = true;
  EXPECT_LE(Distance(TrainOn(2)[0], Train(spec_)), kRounding);
}

TEST_P(Ranks, FourRanksGiveTheSameBitsTwice) { EXPECT_TRUE(SameBits(TrainOn(4)[3], TrainOn(4)[0])); }

TEST(Flags, BecomeTheMaximumOverRanks) {
  recipe::RecipeSpec spec = LoadRecipe("llama");
  plan::ModelCard card = models::Describe(spec);
  std::vector<int32_t> ids(static_cast<size_t>(spec.batch.micro * spec.model.context), 3);
  View view(ids.data(), DType::kI32, {spec.batch.micro, spec.model.context});
  ThreadGroup(2).Run([&](comm::Group* group) {
    auto groups = parallel::Groups::Split(group, {.data = 2});
    ASSERT_TRUE(groups.ok());
    auto stepper = train::Stepper::Create(spec, card, *groups, 1);
    ASSERT_TRUE(stepper.ok());
    std::array<int64_t, 3> flags = {group->rank(), 0, 1 - group->rank()};
    auto next = [&](int64_t) -> absl::StatusOr<train::TokenBatch> { return train::TokenBatch{view, view}; };
    ASSERT_TRUE((*stepper)->Run({.micro_batches = 1, .lr = 1e-3, .next = next, .flags = flags}).ok());
    EXPECT_THAT(flags, testing::ElementsAre(1, 0, 1));
  });
}

INSTANTIATE_TEST_SUITE_P(Families, Ranks, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace galley::golden
