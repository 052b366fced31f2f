#include "runtime/plan/sharding.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace galley::plan {
namespace {

using testing::ElementsAre;

ParamSpec Param(std::vector<int64_t> shape, std::vector<ParamPart> parts) {
  ParamSpec param;
  param.name = "p";
  param.shape = std::move(shape);
  param.parts = std::move(parts);
  return param;
}

// q, k and v of 4 heads and 2 groups, a head of 2 rows.
ParamSpec Qkv(int64_t cols) {
  return Param({16, cols}, {{"q", 8, Split::kRows}, {"k", 4, Split::kRows}, {"v", 4, Split::kRows}});
}

TEST(HeldSlices, ATensorRankHasItsHeadsOfEachPart) {
  EXPECT_THAT(HeldSlices(Qkv(3), 1, 2),
              ElementsAre(Slice{{4, 0}, {4, 3}}, Slice{{10, 0}, {2, 3}}, Slice{{14, 0}, {2, 3}}));
  EXPECT_THAT(HeldSlices(Param({6}, {{"gate", 3, Split::kRows}, {"up", 3, Split::kRows}}), 0, 3),
              ElementsAre(Slice{{0}, {1}}, Slice{{3}, {1}}));
}

TEST(HeldSlices, OfOneRankIsTheWholeInOnePiece) {
  EXPECT_THAT(HeldSlices(Qkv(3), 0, 1), ElementsAre(Slice::Whole({16, 3})));
  EXPECT_THAT(SavedSlices(Qkv(3), 0, 1), ElementsAre(Slice::Whole({16, 3})));
}

TEST(HeldSlices, ColumnsAreCutAndWhatIsNotCutIsHeldByAllAndSavedOnce) {
  const ParamSpec down = Param({3, 8}, {{"", 3, Split::kCols}});
  EXPECT_THAT(HeldSlices(down, 1, 4), ElementsAre(Slice{{0, 2}, {3, 2}}));
  const ParamSpec gain = Param({5}, {{"", 5, Split::kNone}});
  for (int64_t rank : {0, 1, 2}) EXPECT_THAT(HeldSlices(gain, rank, 3), ElementsAre(Slice::Whole({5})));
  EXPECT_THAT(SavedSlices(gain, 0, 3), ElementsAre(Slice::Whole({5})));
  EXPECT_TRUE(SavedSlices(gain, 1, 3).empty());
  EXPECT_THAT(HeldSlices(Param({5}, {}), 2, 3), ElementsAre(Slice::Whole({5})));
}

TEST(SavedSlices, EverySplitCoversTheTensorOnce) {
  const Split kAxes[] = {Split::kNone, Split::kRows, Split::kCols};
  for (int64_t rows = 1; rows <= 5; ++rows) {
    for (int64_t second = 0; second <= 3; ++second) {
      for (int64_t cols = 1; cols <= 4; ++cols) {
        for (Split a : kAxes) {
          for (Split b : kAxes) {
            const ParamSpec param = Param({rows + second, cols}, {{"a", rows, a}, {"b", second, b}});
            for (int64_t ranks = 1; ranks <= 7; ++ranks) {
              std::vector<Slice> saved;
              for (int64_t r = 0; r < ranks; ++r) {
                const std::vector<Slice> held = HeldSlices(param, r, ranks);
                for (const Slice& slice : SavedSlices(param, r, ranks)) {
                  saved.push_back(slice);
                  // Whatever is saved lies in what is held.
                  EXPECT_TRUE(std::any_of(held.begin(), held.end(),
                                          [&](const Slice& h) { return Intersect(h, slice) == slice; }));
                }
              }
              EXPECT_FALSE(FirstMiscounted(param.shape, saved).has_value());
            }
          }
        }
      }
    }
  }
}

// FSDP within tensor parallelism: the flat ranges of what a tensor rank holds.
TEST(SavedSlices, FlatRangesOfWhatARankHoldsCoverItOnce) {
  const ParamSpec param = Qkv(3);
  for (int64_t tensor : {1, 2, 3}) {
    for (int64_t data : {1, 2, 5}) {
      std::vector<Slice> all;
      for (int64_t t = 0; t < tensor; ++t) {
        const std::vector<Slice> held = SavedSlices(param, t, tensor);
        int64_t n = 0;
        for (const Slice& slice : held) n += slice.elements();
        for (int64_t d = 0; d < data; ++d) {
          for (const Slice& slice : FlatRange(held, n * d / data, n * (d + 1) / data)) all.push_back(slice);
        }
      }
      EXPECT_FALSE(FirstMiscounted(param.shape, all).has_value()) << tensor << " " << data;
    }
  }
}

TEST(StagesOf, LayersInOrderAndTheTwoEnds) {
  ParamSpec param;
  const auto stages = [&](std::string name, Role role, int64_t count, bool tied = true) {
    param.name = std::move(name);
    param.role = role;
    return StagesOf(param, 6, count, tied);
  };
  EXPECT_THAT(stages("wte", Role::kEmbedding, 1), ElementsAre(0));
  EXPECT_THAT(stages("wte", Role::kEmbedding, 3), ElementsAre(0, 2));
  EXPECT_THAT(stages("wte", Role::kEmbedding, 3, false), ElementsAre(0));
  EXPECT_THAT(stages("wpe", Role::kPosition, 3), ElementsAre(0));
  EXPECT_THAT(stages("ln_f.gain", Role::kNormGain, 3), ElementsAre(2));
  EXPECT_THAT(stages("head.weight", Role::kHead, 3), ElementsAre(2));
  for (int64_t layer = 0; layer < 6; ++layer) {
    EXPECT_THAT(stages("layers." + std::to_string(layer) + ".ln1.gain", Role::kNormGain, 3),
                ElementsAre(layer / 2));
  }
}

}  // namespace
}  // namespace galley::plan
