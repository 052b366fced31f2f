#include "runtime/data/megatron/numpy_random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace galley::data {
namespace {

using ::testing::ElementsAre;

template <class T>
std::vector<T> Arange(size_t n) {
  std::vector<T> items(n);
  std::iota(items.begin(), items.end(), T{0});
  return items;
}

template <class T>
std::vector<T> Shuffled(NumpyRandom& random, size_t n) {
  std::vector<T> items = Arange<T>(n);
  random.Shuffle(std::span(items));
  return items;
}

TEST(NumpyRandomTest, ShufflesAsNumpyDoes) {
  NumpyRandom random(1234);
  EXPECT_THAT(Shuffled<int32_t>(random, 10), ElementsAre(7, 2, 9, 1, 0, 8, 4, 5, 6, 3));
  EXPECT_THAT(Shuffled<int32_t>(random, 10), ElementsAre(7, 3, 5, 1, 4, 8, 0, 2, 6, 9));
  NumpyRandom other(42);
  EXPECT_THAT(Shuffled<int64_t>(other, 16),
              ElementsAre(0, 1, 5, 14, 13, 11, 8, 9, 2, 15, 4, 7, 10, 12, 3, 6));
}

TEST(NumpyRandomTest, ThePublishedFirstDraws) {
  NumpyRandom random(5489);
  EXPECT_EQ(random.Next32(), 3499211612U);
  for (int i = 2; i < 10000; ++i) random.Next32();
  EXPECT_EQ(random.Next32(), 4123659995U);              // C++'s own requirement for mt19937
  const uint32_t key[] = {0x123, 0x234, 0x345, 0x456};  // of the authors' test
  NumpyRandom array(key);
  EXPECT_EQ(array.Next32(), 1067595299U);
  EXPECT_EQ(array.Next32(), 955945823U);
}

TEST(NumpyRandomTest, TheItemTypeAndTheLookAheadDoNotMatter) {
  for (const size_t n : {0UL, 1UL, 2UL, 255UL, 256UL, 257UL, 258UL, 5000UL}) {
    NumpyRandom a(7), b(7), c(7);
    const std::vector<uint32_t> ahead = Shuffled<uint32_t>(a, n);
    const std::vector<int64_t> wide = Shuffled<int64_t>(b, n);
    EXPECT_TRUE(std::equal(ahead.begin(), ahead.end(), wide.begin(), wide.end()));
    std::vector<uint32_t> plain = Arange<uint32_t>(n);
    for (size_t i = n; i-- > 1;) std::swap(plain[i], plain[c.Interval(i)]);
    EXPECT_EQ(ahead, plain) << n;
    EXPECT_EQ(a.Next32(), c.Next32()) << "no draw is left over";
  }
}

TEST(NumpyRandomTest, LongIntervalsDrawTheHighHalfFirst) {
  NumpyRandom a(3), b(3);
  const uint64_t max = 0x1'0000'0000;
  for (int i = 0; i < 1000; ++i) {
    uint64_t expected;
    do {
      const uint64_t high = b.Next32();
      expected = ((high << 32) | b.Next32()) & 0x1'ffff'ffff;
    } while (expected > max);
    EXPECT_EQ(a.Interval(max), expected);
  }
  EXPECT_EQ(a.Interval(0), 0u);
  EXPECT_EQ(a.Next32(), b.Next32());
}

}  // namespace
}  // namespace galley::data
