#include "runtime/plan/slice.h"

#include <algorithm>
#include <limits>
#include <map>

#include "gtest/gtest.h"

namespace galley::plan {
namespace {

using Shape = std::vector<int64_t>;

const std::vector<Shape> kShapes = {{}, {1}, {5}, {2, 3}, {3, 1}, {4, 2, 3}, {1, 3, 2}, {2, 2, 1, 3}};

// The coordinates of the slice's elements, in C order.
std::vector<Shape> Elements(const Slice& slice) {
  std::vector<Shape> out;
  for (int64_t i = 0; i < slice.elements(); ++i) {
    Shape at(slice.size.size());
    int64_t rest = i;
    for (size_t d = at.size(); d-- > 0; rest /= slice.size[d]) at[d] = slice.begin[d] + rest % slice.size[d];
    out.push_back(at);
  }
  return out;
}

// Every slice of a tensor, those without elements left out.
std::vector<Slice> AllSlices(const Shape& shape) {
  std::vector<Slice> out = {{}};
  for (int64_t size : shape) {
    std::vector<Slice> longer;
    for (const Slice& slice : out) {
      for (int64_t begin = 0; begin < size; ++begin) {
        for (int64_t n = 1; begin + n <= size; ++n) {
          longer.push_back(slice);
          longer.back().begin.push_back(begin);
          longer.back().size.push_back(n);
        }
      }
    }
    out = std::move(longer);
  }
  return out;
}

// By counting.
std::optional<Miscounted> Counted(const Shape& shape, const std::vector<Slice>& slices) {
  std::map<Shape, int64_t> times;
  for (const Slice& slice : slices) {
    for (const Shape& at : Elements(slice)) ++times[at];
  }
  for (const Shape& at : Elements(Slice::Whole(shape))) {
    if (times[at] != 1) return Miscounted{at, times[at]};
  }
  return std::nullopt;
}

void ExpectCounted(const Shape& shape, const std::vector<Slice>& slices) {
  const auto expected = Counted(shape, slices);
  const auto got = FirstMiscounted(shape, slices);
  ASSERT_EQ(got.has_value(), expected.has_value());
  if (!got.has_value()) return;
  EXPECT_EQ(got->element, expected->element);
  EXPECT_EQ(got->times, expected->times);
}

TEST(Slice, IntersectionsAreTheCommonElements) {
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{3, 4}}) {
    for (const Slice& a : AllSlices(shape)) {
      for (const Slice& b : AllSlices(shape)) {
        std::vector<Shape> expected;
        const std::vector<Shape> others = Elements(b);
        for (const Shape& at : Elements(a)) {
          if (std::find(others.begin(), others.end(), at) != others.end()) expected.push_back(at);
        }
        const auto common = Intersect(a, b);
        ASSERT_EQ(common.has_value(), !expected.empty());
        if (common.has_value()) {
          EXPECT_EQ(Elements(*common), expected);
        }
      }
    }
  }
}

TEST(Slice, WithinTakesAnyNumbers) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_TRUE((Slice{{0, 2}, {3, 2}}.Within({3, 4})));
  EXPECT_TRUE((Slice{{}, {}}.Within({})));
  EXPECT_TRUE((Slice{{kMost - 1}, {1}}.Within({kMost})));
  EXPECT_FALSE((Slice{{kMost - 1}, {2}}.Within({kMost})));
  EXPECT_FALSE((Slice{{kMost}, {kMost}}.Within({kMost})));
  EXPECT_FALSE((Slice{{0}, {kLeast}}.Within({3})));
  EXPECT_FALSE((Slice{{kLeast}, {kMost}}.Within({3})));
  EXPECT_FALSE((Slice{{0}, {3}}.Within({3, 1})));
  EXPECT_FALSE((Slice{{0, 0}, {3}}.Within({3})));
}

TEST(Slice, EveryFlatRangeIsItsElementsInOrder) {
  for (const Shape& shape : kShapes) {
    // Memory of one slice, the whole tensor, and of two rows apart.
    std::vector<std::vector<Slice>> memories = {{Slice::Whole(shape)}};
    if (!shape.empty() && shape[0] >= 3) {
      Slice first = Slice::Whole(shape), third = first;
      first.size[0] = third.size[0] = 1;
      third.begin[0] = 2;
      memories.push_back({first, third});
    }
    for (const std::vector<Slice>& memory : memories) {
      std::vector<Shape> line;
      for (const Slice& slice : memory) {
        for (const Shape& at : Elements(slice)) line.push_back(at);
      }
      const auto n = static_cast<int64_t>(line.size());
      for (int64_t begin = 0; begin <= n; ++begin) {
        for (int64_t end = begin; end <= n; ++end) {
          const std::vector<Slice> slices = FlatRange(memory, begin, end);
          EXPECT_LE(slices.size(), memory.size() * (std::max<size_t>(2 * shape.size(), 2) - 1));
          std::vector<Shape> got;
          for (const Slice& slice : slices) {
            EXPECT_TRUE(slice.Within(shape));
            EXPECT_GT(slice.elements(), 0);
            for (const Shape& at : Elements(slice)) got.push_back(at);
          }
          EXPECT_EQ(got, std::vector<Shape>(line.begin() + begin, line.begin() + end));
        }
      }
    }
  }
}

TEST(FirstMiscounted, FlatRangesOfAnyNumberOfRanksCoverOnce) {
  for (const Shape& shape : kShapes) {
    const std::vector<Slice> whole = {Slice::Whole(shape)};
    const int64_t n = whole[0].elements();
    for (int64_t ranks = 1; ranks <= n + 1; ++ranks) {
      std::vector<Slice> all;
      for (int64_t r = 0; r < ranks; ++r) {
        for (const Slice& slice : FlatRange(whole, n * r / ranks, n * (r + 1) / ranks)) all.push_back(slice);
      }
      EXPECT_FALSE(FirstMiscounted(shape, all).has_value());
      // One too few, and one twice.
      const Slice last = all.back();
      all.pop_back();
      ExpectCounted(shape, all);
      all.push_back(last);
      all.push_back(last);
      ExpectCounted(shape, all);
    }
  }
}

TEST(FirstMiscounted, IsWhatCountingFinds) {
  EXPECT_FALSE(FirstMiscounted({0, 3}, {}).has_value());
  EXPECT_EQ(FirstMiscounted({}, {})->times, 0);
  EXPECT_EQ(FirstMiscounted({}, {{}, {}})->times, 2);
  for (const Shape& shape : {Shape{3}, Shape{2, 2}, Shape{2, 3}}) {
    const std::vector<Slice> slices = AllSlices(shape);
    for (const Slice& a : slices) {
      ExpectCounted(shape, {a});
      for (const Slice& b : slices) {
        ExpectCounted(shape, {a, b});
        for (const Slice& c : slices) ExpectCounted(shape, {a, b, c});
      }
    }
  }
  // Not to be made by cutting the whole across, again and again.
  const std::vector<Slice> wheel = {
      {{0, 0}, {1, 2}}, {{0, 2}, {2, 1}}, {{2, 1}, {1, 2}}, {{1, 0}, {2, 1}}, {{1, 1}, {1, 1}}};
  EXPECT_FALSE(FirstMiscounted({3, 3}, wheel).has_value());
  ExpectCounted({3, 3}, {wheel.begin(), wheel.begin() + 4});
}

TEST(FirstMiscounted, HugeTensorsAreNoSlower) {
  constexpr int64_t kHuge = int64_t{1} << 30;
  const Slice left{{0, 0}, {kHuge, 7}}, right{{0, 7}, {kHuge, kHuge - 7}};
  EXPECT_FALSE(FirstMiscounted({kHuge, kHuge}, {left, right}).has_value());
  const auto hole = FirstMiscounted({kHuge, kHuge}, {left, {{1, 7}, {kHuge - 1, kHuge - 7}}});
  ASSERT_TRUE(hole.has_value());
  EXPECT_EQ(hole->element, (Shape{0, 7}));
  // As many slices as a manifest can hold: a square of single elements.
  std::vector<Slice> many;
  for (int64_t i = 0; i < 400 * 400; ++i) many.push_back({{i / 400, i % 400}, {1, 1}});
  EXPECT_FALSE(FirstMiscounted({400, 400}, many).has_value());
}

}  // namespace
}  // namespace galley::plan
