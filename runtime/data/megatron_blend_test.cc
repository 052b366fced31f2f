#include "runtime/data/megatron_blend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace galley::data {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> Sources(const MegatronBlend& blend) {
  std::vector<int64_t> sources;
  for (int64_t n = 0; n < blend.size(); ++n) sources.push_back(blend.At(n).source);
  return sources;
}

std::vector<int64_t> Places(const MegatronBlend& blend) {
  std::vector<int64_t> places;
  for (int64_t n = 0; n < blend.size(); ++n) places.push_back(blend.At(n).place);
  return places;
}

TEST(MegatronBlendTest, Golden) {
  const MegatronBlend two = MegatronBlend::Build(std::vector<double>{.3, .7}, 12);
  EXPECT_THAT(Sources(two), ElementsAre(1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1));
  EXPECT_THAT(Places(two), ElementsAre(0, 0, 1, 2, 1, 3, 4, 2, 5, 6, 3, 7));
  const MegatronBlend three = MegatronBlend::Build(std::vector<double>{1, 1, 2}, 12);
  EXPECT_THAT(Sources(three), ElementsAre(2, 0, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2));
  const MegatronBlend all = MegatronBlend::BuildExhaustive(std::vector<int64_t>{3, 5, 2});
  EXPECT_THAT(Sources(all), ElementsAre(1, 0, 2, 1, 0, 1, 2, 1, 0, 1));
}

TEST(MegatronBlendTest, TheTwoSurplusRulesDiffer) {
  const std::vector<double> weights = {0.1, 0.9};
  const BlendCounts now = CountBlend(weights, 12345, MegatronSurplus::kCore014);
  const BlendCounts before = CountBlend(weights, 12345, MegatronSurplus::kCore010);
  EXPECT_EQ(now.asked[0], 1242);
  EXPECT_EQ(before.asked[0], 1241);
  EXPECT_EQ(now.size, 1235 + 11111);
  EXPECT_EQ(before.size, before.asked[0] + before.asked[1]);
}

TEST(MegatronBlendTest, DrawsAreCountedAcrossMarks) {
  std::vector<double> weights;
  for (int i = 0; i < 1500; ++i) weights.push_back(1 + i % 17);
  const MegatronBlend blend = MegatronBlend::Build(weights, 20000);
  std::vector<int64_t> drawn(weights.size(), 0);
  for (int64_t n = 0; n < blend.size(); ++n) {
    if (n % 1999 == 0) {
      EXPECT_EQ(blend.DrawnBefore(n), drawn);
    }
    const MegatronBlend::Draw draw = blend.At(n);
    ASSERT_EQ(draw.place, drawn[static_cast<size_t>(draw.source)]++);
  }
  EXPECT_EQ(blend.DrawnBefore(blend.size()), drawn);
}

TEST(MegatronBlendTest, NumpySumRoundsInPairs) {
  // One and many values too small to change it one by one.
  std::vector<double> values(1000, 1e-16);
  values[0] = 1;
  EXPECT_EQ(NumpySum(std::span(values).first(7)), 1.0);
  EXPECT_GT(NumpySum(values), 1.0);
}

}  // namespace
}  // namespace galley::data
