// What the collectives compute, in groups of forked processes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "runtime/base/hash.h"
#include "runtime/comm/group.h"
#include "runtime/comm/ranks_for_test.h"

namespace galley::comm {
namespace {

template <class T>
View Of(std::vector<T>& v) {
  return View(v.data(), kDTypeOf<T>, Shape{static_cast<int64_t>(v.size())});
}

template <class T>
std::string BytesOf(const std::vector<T>& v) {
  return std::string(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(T));
}

// Element i of rank r's part: between -1 and 1, with all mantissa bits in use.
double Part(int rank, int64_t i) {
  uint64_t x =
      static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(rank + 1) * 0xbf58476d1ce4e5b9;
  x ^= x >> 31;
  x *= 0x94d049bb133111eb;
  x ^= x >> 29;
  return static_cast<double>(static_cast<int64_t>(x)) * 0x1p-63;
}

template <class T>
std::vector<T> Parts(int rank, int64_t count) {
  std::vector<T> v(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) v[static_cast<size_t>(i)] = T(static_cast<float>(Part(rank, i)));
  return v;
}

// The relative rounding error of one addition.
template <class T>
constexpr double kUnit = 0;
template <>
constexpr double kUnit<float> = 0x1p-24;
template <>
constexpr double kUnit<double> = 0x1p-53;
template <>
constexpr double kUnit<BF16> = 0x1p-8;

template <class T>
double AsDouble(T x) {
  if constexpr (std::is_same_v<T, BF16>) {
    return static_cast<float>(x);
  } else {
    return static_cast<double>(x);
  }
}

// The largest error of `got` against the float64 sum of all parts, as a multiple of what rounding may do.
template <class T>
double WorstError(const std::vector<T>& got, int ranks) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    double sum = 0, absolute = 0;
    for (int r = 0; r < ranks; ++r) {
      double part = AsDouble(T(static_cast<float>(Part(r, static_cast<int64_t>(i)))));
      sum += part;
      absolute += std::abs(part);
    }
    double allowed = ranks * kUnit<T> * absolute + 1e-300;
    worst = std::max(worst, std::abs(AsDouble(got[i]) - sum) / allowed);
  }
  return worst;
}

// Nothing, one, odd, the last small and the first large size (65536 bytes of f32), uneven ones.
const std::vector<int64_t> kCounts = {0, 1, 7, 1000, 16384, 16385, 100'003};

template <class T>
std::string AllReduceOfEverySize(Group& group) {
  std::string digests;
  for (int64_t count : kCounts) {
    std::vector<T> data = Parts<T>(group.rank(), count);
    absl::Status status = group.AllReduceSum(Cpu(), Of(data));
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_LE(WorstError(data, group.size()), 1.0) << count << " of " << Name(kDTypeOf<T>);
    digests += std::to_string(Hash64(BytesOf(data))) + " ";
  }
  return digests;
}

class CollectivesTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, CollectivesTest, testing::Values(1, 2, 3, 4, 5),
                         [](const auto& info) { return std::to_string(info.param); });

TEST_P(CollectivesTest, AllReduceAgreesWithDoubleAndInEveryBitAmongRanksAndRuns) {
  auto body = [](Group& group) {
    return AllReduceOfEverySize<float>(group) + AllReduceOfEverySize<double>(group) +
           AllReduceOfEverySize<BF16>(group);
  };
  std::vector<std::string> first = RunRanks(GetParam(), body);
  for (const std::string& other : first) EXPECT_EQ(other, first[0]);
  EXPECT_EQ(RunRanks(GetParam(), body), first);
}

TEST_P(CollectivesTest, TheSameBitsComeOverTheNetwork) {
  UcxOptions network;
  network.shared_memory = false;
  std::vector<std::string> by_network = RunRanks(GetParam(), AllReduceOfEverySize<float>, network);
  EXPECT_EQ(by_network, RunRanks(GetParam(), AllReduceOfEverySize<float>));
}

TEST_P(CollectivesTest, MaximumKeepsNanAndLargeIntegers) {
  RunRanks(GetParam(), [](Group& group) {
    const int n = group.size(), r = group.rank();
    std::vector<int64_t> integers = {r, -r, (int64_t{1} << 62) + r, r == n - 1};
    EXPECT_TRUE(group.AllReduceMax(Cpu(), Of(integers)).ok());
    EXPECT_EQ(integers, (std::vector<int64_t>{n - 1, 0, (int64_t{1} << 62) + n - 1, 1}));
    std::vector<double> doubles = {r * 0.5, r == n / 2 ? std::numeric_limits<double>::quiet_NaN() : 1.0};
    EXPECT_TRUE(group.AllReduceMax(Cpu(), Of(doubles)).ok());
    EXPECT_EQ(doubles[0], (n - 1) * 0.5);
    EXPECT_TRUE(std::isnan(doubles[1]));
    std::vector<float> large(50'000);
    for (size_t i = 0; i < large.size(); ++i)
      large[i] = static_cast<float>(i % static_cast<size_t>(n) == static_cast<size_t>(r));
    EXPECT_TRUE(group.AllReduceMax(Cpu(), Of(large)).ok());
    EXPECT_EQ(large, std::vector<float>(50'000, 1.0f));
    return std::string();
  });
}

// Small whole numbers: sums of them are exact in every type, so every result is known.
struct Random {
  uint64_t state;
  int64_t Below(int64_t n) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return static_cast<int64_t>((state >> 33) % static_cast<uint64_t>(n));
  }
};
float Whole(int rank, int64_t i) { return static_cast<float>((i * 7 + rank * 3) % 13); }

template <class T>
void OneRandomCollective(Group& group, Random& random) {
  const int n = group.size();
  const int64_t count = random.Below(2) == 0 ? random.Below(300) : random.Below(80'000);
  const int kind = static_cast<int>(random.Below(5));
  const int root = static_cast<int>(random.Below(n));
  auto sum = [&](int64_t i) {
    float total = 0;
    for (int r = 0; r < n; ++r) total += Whole(r, i);
    return total;
  };
  std::vector<T> all(static_cast<size_t>(kind == 1 || kind == 2 ? count * n : count));
  std::vector<T> shard(static_cast<size_t>(count));
  auto fill = [&](std::vector<T>& v) {
    for (size_t i = 0; i < v.size(); ++i) v[i] = T(Whole(group.rank(), static_cast<int64_t>(i)));
  };
  fill(all);
  fill(shard);
  absl::Status status;
  std::function<float(int64_t)> expected;
  std::vector<T>* result = &all;
  if (kind == 0) {
    status = group.AllReduceSum(Cpu(), Of(all));
    expected = sum;
  } else if (kind == 1) {
    status = group.ReduceScatterSum(Cpu(), Of(all), Of(shard));
    expected = [&](int64_t i) { return sum(group.rank() * count + i); };
    result = &shard;
  } else if (kind == 2) {
    status = group.AllGather(Cpu(), Of(shard), Of(all));
    expected = [&](int64_t i) { return Whole(static_cast<int>(i / count), i % count); };
  } else if (kind == 3) {
    status = group.Broadcast(Cpu(), Of(all), root);
    expected = [&](int64_t i) { return Whole(root, i); };
  } else {
    status = group.Barrier();
    expected = [&](int64_t i) { return Whole(group.rank(), i); };
  }
  ASSERT_TRUE(status.ok()) << status.ToString();
  for (size_t i = 0; i < result->size(); ++i) {
    ASSERT_EQ(AsDouble((*result)[i]), expected(static_cast<int64_t>(i)))
        << "kind " << kind << ", element " << i << " of " << result->size() << ", root " << root;
  }
}

std::string RandomCollectives(Group& group, int count) {
  Random random{42};
  for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    switch (random.Below(3)) {
      case 0:
        OneRandomCollective<float>(group, random);
        break;
      case 1:
        OneRandomCollective<double>(group, random);
        break;
      default:
        OneRandomCollective<BF16>(group, random);
    }
  }
  return "";
}

TEST_P(CollectivesTest, ManyMoreSegmentsThanAreOnTheirWayAtOnce) {
  RunRanks(GetParam(), [](Group& group) {
    const int n = group.size();
    std::vector<float> data(12'000'011, static_cast<float>(group.rank() + 1));
    data[11'000'000] = 100;
    EXPECT_TRUE(group.AllReduceSum(Cpu(), Of(data)).ok());
    EXPECT_EQ(data[11'000'000], 100.0f * static_cast<float>(n));
    data[11'000'000] = data[0];
    const int sum = n * (n + 1) / 2;
    EXPECT_EQ(data, std::vector<float>(data.size(), static_cast<float>(sum)));
    if (group.rank() == n - 1) std::fill(data.begin(), data.end(), 0.5f);
    EXPECT_TRUE(group.Broadcast(Cpu(), Of(data), n - 1).ok());
    EXPECT_EQ(data, std::vector<float>(data.size(), 0.5f));
    return std::string();
  });
}

TEST_P(CollectivesTest, TwoHundredRandomOnesInARow) {
  RunRanks(GetParam(), [](Group& group) { return RandomCollectives(group, 200); });
}

TEST_P(CollectivesTest, RandomOnesOverTheNetwork) {
  UcxOptions network;
  network.shared_memory = false;
  RunRanks(
      GetParam(), [](Group& group) { return RandomCollectives(group, 50); }, network);
}

TEST_P(CollectivesTest, BarrierHoldsUntilTheLastHasCome) {
  Shared<std::atomic<int>> came;
  RunRanks(GetParam(), [&](Group& group) {
    for (int round = 1; round <= 50; ++round) {
      came->fetch_add(1);
      EXPECT_TRUE(group.Barrier().ok());
      EXPECT_GE(came->load(), round * group.size());
    }
    return std::string();
  });
}

TEST(SelfGroup, CopiesShardsAndFailsAfterAbort) {
  std::unique_ptr<Group> group = MakeSelfGroup();
  std::vector<float> data = {1, 2, 3}, shard(3);
  EXPECT_TRUE(group->AllReduceSum(Cpu(), Of(data)).ok());
  EXPECT_TRUE(group->ReduceScatterSum(Cpu(), Of(data), Of(shard)).ok());
  EXPECT_EQ(shard, (std::vector<float>{1, 2, 3}));
  group->Abort("stop now");
  group->Abort("too late");
  EXPECT_EQ(group->Barrier(), absl::AbortedError("stop now"));
}

}  // namespace
}  // namespace galley::comm
