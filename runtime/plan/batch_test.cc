#include "runtime/plan/batch.h"

#include <gtest/gtest.h>

namespace galley::plan {
namespace {

using recipe::Amount;
using recipe::Unit;

BatchRamp Tr1() {
  return BatchRamp({.micro = 1, .global = 1024, .rampup = {{16, 16, {5'000'000, Unit::kSamples}}}}, 2048);
}

// The published run (BigScience tr1-13B): where each batch size begins.
TEST(BatchRamp, Tr1StagesBeginWhereMegatronBeginsThem) {
  const BatchRamp ramp = Tr1();
  ASSERT_EQ(ramp.stages().size(), 64u);
  auto expect = [&](size_t i, int64_t size, int64_t step, int64_t samples) {
    EXPECT_EQ(ramp.stages()[i].global_batch, size);
    EXPECT_EQ(ramp.stages()[i].first_step, step);
    EXPECT_EQ(ramp.stages()[i].first_samples, samples);
  };
  expect(0, 16, 0, 0);
  expect(1, 32, 4961, 79376);
  expect(2, 48, 7441, 158736);
  expect(3, 64, 9095, 238128);
  expect(62, 1008, 23377, 4920896);
  expect(63, 1024, 23456, 5000528);
  EXPECT_EQ(ramp.WholeSteps(300'000'000), 311541);
  EXPECT_EQ(ramp.StepAtSamples(216320), 8641);
}

TEST(BatchRamp, JumpingAgreesWithWalking) {
  for (const recipe::Rampup& rampup :
       {recipe::Rampup{4, 4, {1000, Unit::kSamples}}, recipe::Rampup{2, 6, {77, Unit::kSamples}},
        recipe::Rampup{1, 1, {3, Unit::kSamples}}, recipe::Rampup{2, 10, {4096, Unit::kTokens}},
        recipe::Rampup{2, 2, {50, Unit::kSteps}}}) {
    const BatchRamp ramp({.micro = 1, .global = 32, .rampup = rampup}, 16);
    int64_t consumed = 0;
    for (int64_t step = 0; step < 400; ++step) {
      ASSERT_EQ(ramp.SamplesAfter(step), consumed);
      ASSERT_EQ(ramp.TokensAfter(step), consumed * 16);
      ASSERT_EQ(ramp.StepAtSamples(consumed), step);
      ASSERT_EQ(ramp.StepAtSamples(consumed + 1), step + 1);
      ASSERT_EQ(ramp.WholeSteps(consumed), step);
      const int64_t size = ramp.GlobalBatchAt(consumed);
      ASSERT_EQ(ramp.WholeSteps(consumed + size - 1), step);
      consumed += size;
    }
    ASSERT_EQ(ramp.GlobalBatchAt(consumed), 32);
  }
}

TEST(BatchRamp, ARampInStepsReachesTheFullBatchAtThatStep) {
  const BatchRamp ramp({.micro = 1, .global = 32, .rampup = {{2, 2, {50, Unit::kSteps}}}}, 16);
  EXPECT_EQ(ramp.stages().back().first_step, 50);
}

TEST(BatchRamp, NoRampIsOneStage) {
  const BatchRamp ramp({.micro = 4, .global = 16}, 256);
  EXPECT_EQ(ramp.stages().size(), 1u);
  EXPECT_EQ(ramp.SamplesAfter(600), 9600);
  EXPECT_EQ(ramp.MicroBatchesAt(0, 2), 2);
  EXPECT_EQ(ramp.Steps({9600 * 256, Unit::kTokens}), 600);
  EXPECT_EQ(ramp.Samples({257, Unit::kTokens}), 2);
}

TEST(BatchRamp, HugeAmountsStayBoundedAndDoNotOverflow) {
  const BatchRamp ramp({.micro = 1, .global = 1'000'000}, 1'000'000);
  EXPECT_EQ(ramp.TokensAfter(1'000'000'000'000'000), int64_t{1} << 60);
}

TEST(LegalDataParallel, IsTheDivisors) {
  EXPECT_EQ(LegalDataParallel(48, 4), (std::vector<int64_t>{1, 2, 3, 4, 6, 12}));
  EXPECT_EQ(LegalDataParallel(36, 1), (std::vector<int64_t>{1, 2, 3, 4, 6, 9, 12, 18, 36}));
  EXPECT_TRUE(LegalDataParallel(6, 4).empty());
}

}  // namespace
}  // namespace galley::plan
