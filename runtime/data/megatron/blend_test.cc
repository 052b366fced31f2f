#include "runtime/data/megatron/blend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace galley::data {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> Sources(const MegatronBlend& blend) {
  std::vector<int64_t> sources;
  for (int64_t n = 0; n < blend.size(); ++n) sources.push_back(blend.At(n).source);
  return sources;
}

std::vector<int64_t> Indices(const MegatronBlend& blend) {
  std::vector<int64_t> indices;
  for (int64_t n = 0; n < blend.size(); ++n) indices.push_back(blend.At(n).index);
  return indices;
}

TEST(MegatronBlendTest, Golden) {
  const MegatronBlend two = MegatronBlend::Build(std::vector<double>{.3, .7}, 12);
  EXPECT_THAT(Sources(two), ElementsAre(1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1));
  EXPECT_THAT(Indices(two), ElementsAre(0, 0, 1, 2, 1, 3, 4, 2, 5, 6, 3, 7));
  const MegatronBlend three = MegatronBlend::Build(std::vector<double>{1, 1, 2}, 12);
  EXPECT_THAT(Sources(three), ElementsAre(2, 0, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2));
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
    ASSERT_EQ(draw.index, drawn[static_cast<size_t>(draw.source)]++);
  }
  EXPECT_EQ(blend.DrawnBefore(blend.size()), drawn);
}

// The rule as Megatron's own loop has it.
size_t PlainNext(const std::vector<double>& weights, const std::vector<double>& drawn, int64_t sample) {
  const double samples = std::max(static_cast<double>(sample), 1.0);
  size_t first = 0;
  double most = -std::numeric_limits<double>::infinity();
  for (size_t s = 0; s < weights.size(); ++s) {
    const double share = weights[s] * samples;
    const double behind = share - drawn[s];
    if (behind > most) {
      most = behind;
      first = s;
    }
  }
  return first;
}

// Equal, near, heavy-tailed and rounded weights; some equal to others.
std::vector<double> SomeWeights(std::mt19937_64& random, size_t count) {
  std::uniform_real_distribution<double> unit(1e-6, 1);
  const uint64_t kind = random() % 6;
  std::vector<double> weights;
  for (size_t s = 0; s < count; ++s) {
    const double u = unit(random);
    switch (kind) {
      case 0:
        weights.push_back(1);
        break;
      case 1:
        weights.push_back(-std::log(u));
        break;
      case 2:
        weights.push_back(std::pow(u, -1.5));
        break;
      case 3:
        weights.push_back(1e6 + std::floor(1e4 * u));
        break;
      case 4:
        weights.push_back(std::floor(1 + 9 * u) / 10);
        break;
      default:
        weights.push_back(1 + static_cast<double>(random() % 3) * 0x1p-52);
        break;
    }
  }
  return weights;
}

TEST(MegatronBlendTest, EqualsThePlainLoopWhateverTheWeights) {
  std::mt19937_64 random(17);
  for (const size_t count : {1, 2, 7, 63, 64, 65, 66, 130, 300, 1000, 2000}) {
    for (int round = 0; round < 6; ++round) {
      const std::vector<double> weights = SomeWeights(random, count);
      const std::vector<double> shares = Normalized(Normalized(weights));
      const int64_t size = 400'000 / static_cast<int64_t>(count + 100);
      const MegatronBlend blend = MegatronBlend::Build(weights, size);
      std::vector<double> drawn(count, 0);
      for (int64_t n = 0; n < size; ++n) {
        const size_t expected = PlainNext(shares, drawn, n);
        ASSERT_EQ(blend.At(n).source, static_cast<int64_t>(expected))
            << count << " sources, round " << round << ", sample " << n;
        drawn[expected] += 1;
      }
    }
  }
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
