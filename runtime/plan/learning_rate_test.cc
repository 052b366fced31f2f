#include "runtime/plan/learning_rate.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_format.h"

namespace galley::plan {
namespace {

using recipe::Amount;
using recipe::Decay;
using recipe::Unit;
using recipe::WsdShape;

Amount Samples(int64_t n) { return {n, Unit::kSamples}; }
const BatchRamp& OneSampleSteps() {
  static const BatchRamp ramp({.micro = 1, .global = 1}, 1);
  return ramp;
}

std::string Digits(double value) { return absl::StrFormat("%.16g", value); }

// Values of Megatron's scheduler for the tr1-13B run, to sixteen digits.
TEST(LearningRate, CosineOfTr1) {
  const recipe::LearningRate spec{.peak = 1e-4,
                                  .min = 1e-5,
                                  .warmup = Samples(216320),
                                  .decay = Decay::kCosine,
                                  .decay_until = Samples(126953125)};
  const LearningRate lr(spec, Samples(300'000'000), OneSampleSteps());
  EXPECT_EQ(lr.LrAt(0), 0);
  EXPECT_EQ(Digits(lr.LrAt(16)), "7.396449704142013e-09");
  EXPECT_EQ(lr.LrAt(216320), 1e-4);
  EXPECT_EQ(Digits(lr.LrAt(216336)), "9.999999999999647e-05");
  EXPECT_EQ(lr.LrAt(63584722), 5.5000000557737235e-05);
  EXPECT_EQ(lr.LrAt(126953125), 1e-5);
  EXPECT_EQ(lr.LrAt(300'000'000), 1e-5);
}

double Wsd(WsdShape shape, int64_t n) {
  const recipe::LearningRate spec{.peak = 1,
                                  .min = .1,
                                  .warmup = Samples(10),
                                  .decay = Decay::kWsd,
                                  .decay_until = Samples(100),
                                  .wsd_decay = Samples(20),
                                  .wsd_shape = shape};
  return LearningRate(spec, Samples(100), OneSampleSteps()).LrAt(n);
}

TEST(LearningRate, WsdShapes) {
  const struct {
    WsdShape shape;
    double at81, at90;
  } kGolden[] = {{WsdShape::kLinear, .955, .55},
                 {WsdShape::kCosine, .994459753, .55},
                 {WsdShape::kExponential, .938685392, .472792206},
                 {WsdShape::kMinusSqrt, .798753882, .363603897}};
  for (const auto& golden : kGolden) {
    EXPECT_EQ(Wsd(golden.shape, 50), 1);
    EXPECT_EQ(Wsd(golden.shape, 80), 1);
    EXPECT_NEAR(Wsd(golden.shape, 81), golden.at81, 5e-10);
    EXPECT_NEAR(Wsd(golden.shape, 90), golden.at90, 5e-10);
    EXPECT_NEAR(Wsd(golden.shape, 100), .1, 1e-15);
    EXPECT_EQ(Wsd(golden.shape, 101), .1);
  }
}

TEST(LearningRate, OtherSchedules) {
  recipe::LearningRate spec{.peak = 1, .min = .2, .init = .1, .warmup = Samples(10)};
  auto at = [&](int64_t n) { return LearningRate(spec, Samples(110), OneSampleSteps()).LrAt(n); };
  spec.decay = Decay::kLinear;
  EXPECT_DOUBLE_EQ(at(0), .1);
  EXPECT_DOUBLE_EQ(at(5), .55);
  EXPECT_DOUBLE_EQ(at(60), .6);
  EXPECT_DOUBLE_EQ(at(111), .2);
  spec.decay = Decay::kConstant;
  EXPECT_DOUBLE_EQ(at(500), 1);
  spec.decay = Decay::kInverseSquareRoot;
  EXPECT_DOUBLE_EQ(at(40), .5);
  EXPECT_DOUBLE_EQ(at(111), .2);
  spec.warmup = Samples(0);
  EXPECT_DOUBLE_EQ(at(0), 1);
}

TEST(LearningRate, StepsFollowTheBatchRamp) {
  const BatchRamp ramp({.micro = 1, .global = 32, .rampup = {{8, 8, {400, Unit::kSamples}}}}, 16);
  const recipe::LearningRate spec{
      .peak = 1, .warmup = {10, Unit::kSteps}, .decay = Decay::kWsd, .wsd_decay = Amount{20, Unit::kSteps}};
  const LearningRate lr(spec, {200, Unit::kSteps}, ramp);
  EXPECT_EQ(lr.warmup_samples(), ramp.SamplesAfter(10));
  EXPECT_EQ(lr.decay_samples(), ramp.SamplesAfter(200));
  EXPECT_EQ(lr.LrAt(ramp.SamplesAfter(180)), 1);
  EXPECT_LT(lr.LrAt(ramp.SamplesAfter(181)), 1);
}

}  // namespace
}  // namespace galley::plan
