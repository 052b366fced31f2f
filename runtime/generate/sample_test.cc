#include "runtime/generate/sample.h"

#include <cmath>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace galley::generate {
namespace {

using testing::HasSubstr;

// Logits whose softmax is 0.5, 0.3, 0.15, 0.05 at ids 2, 0, 3, 1.
const std::vector<float> kLogits = {std::log(0.30F), std::log(0.05F), std::log(0.50F), std::log(0.15F)};

std::map<int32_t, double> Frequencies(const Sampling& s) {
  std::map<int32_t, double> out;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) out[Sample(kLogits, s, static_cast<uint64_t>(i))] += 1.0 / kDraws;
  return out;
}

TEST(Sample, GreedyTakesTheLikeliestAndTheLowerIdOfEquals) {
  EXPECT_EQ(Sample(kLogits, {.temperature = 0}, 5), 2);
  EXPECT_EQ(Sample(std::vector<float>{1, 3, 3, 2}, {.temperature = 0}, 0), 1);
}

TEST(Sample, DrawsFollowTheSoftmax) {
  auto f = Frequencies({});
  EXPECT_NEAR(f[2], 0.50, 0.02);
  EXPECT_NEAR(f[0], 0.30, 0.02);
  EXPECT_NEAR(f[3], 0.15, 0.02);
  EXPECT_NEAR(f[1], 0.05, 0.02);
}

TEST(Sample, TemperatureSharpens) {
  auto f = Frequencies({.temperature = 0.5});  // weights are squared
  EXPECT_NEAR(f[2], 0.25 / 0.365, 0.02);
}

TEST(Sample, TopKKeepsTheKLikeliest) {
  auto f = Frequencies({.top_k = 2});
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f[2], 0.5 / 0.8, 0.02);
  EXPECT_EQ(Frequencies({.top_k = 9}).size(), 4u);
}

TEST(Sample, TopPKeepsTheSmallestSetThatReachesIt) {
  EXPECT_EQ(Frequencies({.top_p = 0.79}).size(), 2u);
  EXPECT_EQ(Frequencies({.top_p = 0.81}).size(), 3u);
  EXPECT_EQ(Frequencies({.top_p = 1e-9}).size(), 1u);
  EXPECT_EQ(Frequencies({.top_k = 2, .top_p = 0.5}).size(), 1u) << "0.5 of what top-k left";
}

TEST(Sample, IsAFunctionOfSeedAndPosition) {
  std::vector<int32_t> a, b, c;
  for (uint64_t i = 0; i < 64; ++i) {
    a.push_back(Sample(kLogits, {.seed = 1}, i));
    b.push_back(Sample(kLogits, {.seed = 1}, i));
    c.push_back(Sample(kLogits, {.seed = 2}, i));
  }
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(Sample, HugeLogitsDoNotOverflow) { EXPECT_EQ(Sample(std::vector<float>{-3e38F, 3e38F}, {}, 0), 1); }

TEST(Check, NamesTheOptionAndItsBounds) {
  EXPECT_TRUE(Check({}).ok());
  EXPECT_THAT(Check({.temperature = -1}).message(),
              HasSubstr("temperature -1: must be 0 (greedy) or a positive"));
  EXPECT_THAT(Check({.temperature = NAN}).message(), HasSubstr("temperature"));
  EXPECT_THAT(Check({.top_k = -2}).message(), HasSubstr("top-k -2"));
  EXPECT_THAT(Check({.top_p = 0}).message(), HasSubstr("top-p 0: must be above 0"));
  EXPECT_THAT(Check({.top_p = 1.5}).message(), HasSubstr("top-p 1.5"));
}

}  // namespace
}  // namespace galley::generate
