#include "runtime/plan/mesh.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace galley::plan {
namespace {

using testing::ElementsAre;

TEST(Mesh, TensorVariesFastestThenDataThenPipeline) {
  const Mesh mesh{.data = 3, .tensor = 2, .pipeline = 2};
  EXPECT_EQ(mesh.world(), 12);
  EXPECT_EQ(mesh.CoordinateOf(0), (Coordinate{}));
  EXPECT_EQ(mesh.CoordinateOf(1), (Coordinate{.tensor = 1}));
  EXPECT_EQ(mesh.CoordinateOf(2), (Coordinate{.data = 1}));
  EXPECT_EQ(mesh.CoordinateOf(6), (Coordinate{.pipeline = 1}));
  for (int64_t rank = 0; rank < mesh.world(); ++rank) EXPECT_EQ(mesh.RankAt(mesh.CoordinateOf(rank)), rank);
}

TEST(Mesh, AGroupHoldsTheRanksThatDifferInOneCoordinate) {
  const Mesh mesh{.data = 3, .tensor = 2, .pipeline = 2};
  EXPECT_THAT(mesh.GroupOf(Axis::kData, 3), ElementsAre(1, 3, 5));
  EXPECT_THAT(mesh.GroupOf(Axis::kTensor, 3), ElementsAre(2, 3));
  EXPECT_THAT(mesh.GroupOf(Axis::kPipeline, 3), ElementsAre(3, 9));
  for (Axis axis : {Axis::kData, Axis::kTensor, Axis::kPipeline}) {
    for (int64_t rank = 0; rank < mesh.world(); ++rank) {
      const std::vector<int64_t> group = mesh.GroupOf(axis, rank);
      EXPECT_EQ(group[static_cast<size_t>(mesh.CoordinateOf(rank).Along(axis))], rank);
      for (int64_t member : group) EXPECT_EQ(mesh.GroupOf(axis, member), group);
    }
  }
}

TEST(Mesh, OneRankIsInGroupsOfItself) {
  for (Axis axis : {Axis::kData, Axis::kTensor, Axis::kPipeline}) {
    EXPECT_THAT(Mesh().GroupOf(axis, 0), ElementsAre(0));
  }
}

}  // namespace
}  // namespace galley::plan
