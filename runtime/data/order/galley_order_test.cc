#include "runtime/data/order/galley_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace galley::data {
namespace {

// A plan over sources of the given training tokens; valid holds as much again.
DataPlan PlanOf(const std::vector<int64_t>& tokens, const std::vector<double>& weights, int64_t length,
                int64_t seed = 42) {
  DataPlan plan;
  plan.seed = seed;
  plan.sequence_length = length;
  plan.vocab = 256;
  const std::vector<int64_t> shares = *SharesOf(weights);
  plan.period = std::accumulate(shares.begin(), shares.end(), int64_t{0});
  for (size_t s = 0; s < tokens.size(); ++s) {
    PlannedSource source;
    source.share = shares[s];
    source.tokens = 2 * tokens[s];
    source.stream = {Range{0, tokens[s]}, Range{tokens[s], 2 * tokens[s]},
                     Range{2 * tokens[s], 2 * tokens[s]}};
    plan.sources.push_back(source);
  }
  return plan;
}

TEST(PermuteTest, IsAPermutationThatItsInverseUndoes) {
  std::mt19937_64 random(1);
  for (const uint64_t n : {1, 2, 3, 4, 5, 7, 8, 64, 100, 1000, 4097}) {
    const uint64_t key = random();
    std::vector<bool> seen(n, false);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t j = Permute(key, n, i);
      ASSERT_LT(j, n);
      EXPECT_FALSE(seen[j]);
      seen[j] = true;
      EXPECT_EQ(Unpermute(key, n, j), i);
    }
  }
  const uint64_t n = uint64_t{1} << 48;
  for (int t = 0; t < 100; ++t) {
    const uint64_t i = random() % n;
    EXPECT_EQ(Unpermute(7, n, Permute(7, n, i)), i);
  }
}

TEST(PermuteTest, EveryPermutationOfFourComesEquallyOften) {
  std::map<std::array<uint64_t, 4>, int> counts;
  constexpr int kKeys = 48000;
  for (uint64_t key = 0; key < kKeys; ++key) {
    ++counts[{Permute(key, 4, 0), Permute(key, 4, 1), Permute(key, 4, 2), Permute(key, 4, 3)}];
  }
  EXPECT_EQ(counts.size(), 24u);
  double chi_square = 0;
  for (const auto& [permutation, count] : counts)
    chi_square += std::pow(count - kKeys / 24.0, 2) / (kKeys / 24.0);
  EXPECT_LT(chi_square, 49.7);  // 23 degrees of freedom, p = 0.001
}

TEST(PermuteTest, NeighboursLandFarApart) {
  constexpr uint64_t kN = 100000;
  double sum = 0;
  int64_t kept = 0;
  for (uint64_t i = 0; i + 1 < kN; ++i) {
    const auto a = static_cast<double>(Permute(3, kN, i));
    const auto b = static_cast<double>(Permute(3, kN, i + 1));
    sum += std::abs(a - b);
    kept += b == a + 1;
  }
  EXPECT_NEAR(sum / kN, kN / 3.0, kN * 0.005);  // the mean distance of two uniform numbers
  EXPECT_LE(kept, 8);
}

TEST(BlendTest, SharesFollowWeights) {
  EXPECT_EQ(*SharesOf({3.5}), (std::vector<int64_t>{1}));
  EXPECT_EQ(*SharesOf({1, 1}), (std::vector<int64_t>{32768, 32768}));
  EXPECT_EQ(*SharesOf({0.3, 0.7}), (std::vector<int64_t>{19661, 45875}));
  EXPECT_EQ(*SharesOf({30, 70}), *SharesOf({0.3, 0.7}));
  const std::vector<int64_t> tiny = *SharesOf({1e-12, 1, 1e-300});
  EXPECT_EQ(std::accumulate(tiny.begin(), tiny.end(), int64_t{0}), 65536);
  EXPECT_EQ(tiny[0], 1);
  EXPECT_EQ(tiny[2], 1);
}

TEST(BlendTest, WeightsThatAreNoneAreRefused) {
  for (const double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const absl::Status status = SharesOf({1, bad}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("data.train[1].weight"), absl::string_view::npos) << status;
  }
}

TEST(BlendTest, EveryPrefixIsWithinOneSampleOfItsShare) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(0.001, 1);
  for (int round = 0; round < 40; ++round) {
    const size_t k = round < 4 ? 2 + static_cast<size_t>(round) : 2 + random() % 49;
    std::vector<double> weights(k);
    for (double& weight : weights) weight = std::pow(uniform(random), 3);
    if (round == 0) weights = {1, 1};
    if (round == 1) weights = {1, 1, 1e-9};
    const std::vector<int64_t> shares = *SharesOf(weights);
    const std::vector<int32_t> dealt = Deal(shares);
    const auto period = static_cast<int64_t>(dealt.size());
    std::vector<int64_t> drawn(k, 0);
    for (int64_t n = 1; n <= period; ++n) {
      ++drawn[static_cast<size_t>(dealt[static_cast<size_t>(n - 1)])];
      for (size_t s = 0; s < k; ++s) {
        ASSERT_LT(std::abs(drawn[s] * period - n * shares[s]), period) << "source " << s << " at " << n;
      }
    }
    EXPECT_EQ(drawn, shares);
  }
}

TEST(BlendTest, ThousandsOfSourcesAreDealtInSeconds) {
  std::vector<double> weights(2000);
  for (size_t s = 0; s < weights.size(); ++s) weights[s] = 1.0 + static_cast<double>(s % 17);
  const std::vector<int64_t> shares = *SharesOf(weights);
  const std::vector<int32_t> dealt = Deal(shares);
  EXPECT_EQ(std::count(dealt.begin(), dealt.end(), 1999), shares[1999]);
}

TEST(OrderTest, EveryWindowOnceAnEpochAndLessThanAWindowDropped) {
  constexpr int64_t kLength = 7;
  const DataPlan plan = PlanOf({1000, 333}, {0.8, 0.2}, kLength);
  for (const Split split : {Split::kTrain, Split::kValid}) {
    const GalleyOrder order(plan, split);
    std::map<std::pair<int64_t, int64_t>, std::set<int64_t>> windows;  // of (source, epoch)
    std::map<std::pair<int64_t, int64_t>, std::set<int64_t>> tokens;
    for (int64_t i = 0; i < 2000; ++i) {
      const SampleLocation at = order.At(i);
      const Range& stream = plan.sources[static_cast<size_t>(at.source)].stream[static_cast<size_t>(split)];
      EXPECT_GE(at.token, stream.begin);
      EXPECT_LE(at.token + kLength + 1, stream.end);
      EXPECT_TRUE(windows[std::pair(at.source, at.epoch)].insert(at.window).second) << "window seen twice";
      for (int64_t t = 0; t < kLength; ++t) tokens[std::pair(at.source, at.epoch)].insert(at.token + t);
    }
    const auto whole = windows[std::pair(int64_t{0}, int64_t{0})];
    EXPECT_EQ(static_cast<int64_t>(whole.size()), plan.Windows(0, split));
    EXPECT_GT(static_cast<int64_t>(tokens[std::pair(int64_t{0}, int64_t{0})].size()), 1000 - 1 - kLength);
  }
}

TEST(OrderTest, EpochsDifferInOrderAndOffset) {
  const DataPlan plan = PlanOf({1006}, {1}, 10);  // 100 windows, 5 tokens of slack
  const GalleyOrder order(plan, Split::kTrain);
  std::vector<int64_t> first, second;
  std::set<int64_t> offsets;
  for (int64_t i = 0; i < 100; ++i) {
    first.push_back(order.At(i).window);
    second.push_back(order.At(100 + i).window);
  }
  for (int64_t epoch = 0; epoch < 40; ++epoch) offsets.insert(order.At(100 * epoch).token % 10);
  EXPECT_NE(first, second);
  EXPECT_EQ(offsets.size(), 6u);
}

TEST(OrderTest, SeedAndSplitAndSourceHaveOrdersOfTheirOwn) {
  const auto windows = [](const GalleyOrder& order, int64_t source) {
    std::vector<int64_t> out;
    for (int64_t i = 0; out.size() < 50; ++i) {
      if (order.At(i).source == source) out.push_back(order.At(i).window);
    }
    return out;
  };
  const DataPlan plan = PlanOf({5000, 5000}, {1, 1}, 10, 1);
  const GalleyOrder train(plan, Split::kTrain);
  EXPECT_NE(windows(train, 0), windows(train, 1));
  EXPECT_NE(windows(train, 0), windows(GalleyOrder(plan, Split::kValid), 0));
  EXPECT_NE(windows(train, 0), windows(GalleyOrder(PlanOf({5000, 5000}, {1, 1}, 10, 2), Split::kTrain), 0));
}

TEST(OrderTest, DrawnBySourceCountsWhatAtDraws) {
  const DataPlan plan = PlanOf({500, 500, 500}, {0.5, 0.3, 0.2}, 10);
  const GalleyOrder order(plan, Split::kTrain);
  std::vector<int64_t> drawn(3, 0);
  for (int64_t i = 0; i < 70000; ++i) {
    if (i % 9973 == 0) {
      EXPECT_EQ(order.DrawnBySource(i), drawn);
    }
    ++drawn[static_cast<size_t>(order.At(i).source)];
  }
}

TEST(OrderTest, SamplesHashTellsSamplesAndTheirOrder) {
  const GalleyOrder order(PlanOf({50000, 3000}, {0.9, 0.1}, 10), Split::kTrain);
  EXPECT_EQ(order.SamplesHash(100, 1300), order.SamplesHash(100, 1300));
  EXPECT_NE(order.SamplesHash(100, 1300), order.SamplesHash(101, 1300));
  EXPECT_NE(order.SamplesHash(100, 1300), order.SamplesHash(100, 1299));
  EXPECT_NE(order.SamplesHash(0, 8),
            GalleyOrder(PlanOf({50000, 3000}, {0.9, 0.1}, 10, 7), Split::kTrain).SamplesHash(0, 8));
}

// The rules of galley-order-v1 may never change: checkpoints of old runs resume by them.
TEST(OrderTest, GoldenOrderOfVersion1) {  // positions by an independent program in Python
  const GalleyOrder order(PlanOf({1000, 333}, {0.75, 0.25}, 8, 1234), Split::kTrain);
  std::vector<SampleLocation> positions;
  for (const int64_t sample : {0, 1, 2, 3, 4, 5, 1000, 1000000, 1000000000})
    positions.push_back(order.At(sample));
  const std::vector<SampleLocation> golden = {
      {0, 0, 11, 90},  {0, 0, 67, 538}, {1, 0, 18, 144},   {0, 0, 17, 138},        {0, 0, 2, 18},
      {0, 0, 38, 306}, {0, 6, 59, 478}, {0, 6048, 10, 83}, {0, 6048387, 112, 898},
  };
  EXPECT_EQ(positions, golden);
  EXPECT_EQ(order.SamplesHash(0, 16), uint64_t{17844411697313658694u});
  EXPECT_EQ(kOrderVersion, "galley-order-v1");
}

}  // namespace
}  // namespace galley::data
