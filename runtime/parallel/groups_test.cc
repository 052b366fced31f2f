#include "runtime/parallel/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/comm/ranks_for_test.h"
#include "runtime/parallel/gradient_reducer.h"

namespace galley::parallel {
namespace {

View Of(std::vector<float>& v) { return View(v.data(), DType::kF32, Shape{static_cast<int64_t>(v.size())}); }

Groups MustSplit(comm::Group& world, const plan::Mesh& mesh) {
  auto groups = Groups::Split(&world, mesh);
  CHECK(groups.ok()) << groups.status().ToString();
  return *std::move(groups);
}

// The world's ranks in a group, as its members say.
std::vector<int64_t> Members(comm::Group& group, int64_t world_rank) {
  std::vector<int64_t> ranks(static_cast<size_t>(group.size()));
  EXPECT_TRUE(group
                  .AllGather(comm::Cpu(), View(&world_rank, DType::kI64, Shape{1}),
                             View(ranks.data(), DType::kI64, Shape{group.size()}))
                  .ok());
  return ranks;
}

TEST(Groups, AreThoseOfTheMeshAndRanksInThemAreCoordinates) {
  const plan::Mesh mesh{.data = 2, .tensor = 2, .pipeline = 2};
  comm::RunRanks(8, [&](comm::Group& world) -> std::string {
    const int64_t rank = world.rank();
    const Groups groups = MustSplit(world, mesh);
    EXPECT_EQ(groups.world, &world);
    EXPECT_EQ(groups.coordinate, mesh.CoordinateOf(rank));
    for (auto [axis, group] : {std::pair(plan::Axis::kData, groups.data.get()),
                               std::pair(plan::Axis::kTensor, groups.tensor.get()),
                               std::pair(plan::Axis::kPipeline, groups.pipeline.get())}) {
      EXPECT_EQ(group->rank(), groups.coordinate.Along(axis));
      EXPECT_EQ(Members(*group, rank), mesh.GroupOf(axis, rank));
    }
    return "";
  });
}

TEST(Groups, AMeshOfAnotherSizeIsRefused) {
  std::unique_ptr<comm::Group> self = comm::MakeSelfGroup();
  const absl::Status status = Groups::Split(self.get(), {.data = 2}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("the mesh has 2 ranks, the run 1"));
}

// While gradients are summed over the data group, the backward pass hands its own to the stage before.
TEST(Groups, AReducerAndAPipelinesMessagesGoOnAtOnce) {
  comm::RunRanks(4, [](comm::Group& world) -> std::string {
    const Groups groups = MustSplit(world, {.data = 2, .pipeline = 2});
    std::vector<float> gradients(300'000), handed(200'000, 5);
    GradientReducer reducer(groups.data.get(), Of(gradients), 64 << 10);
    for (int step = 0; step < 5; ++step) {
      std::fill(gradients.begin(), gradients.end(), static_cast<float>(1 + world.rank()));
      reducer.Begin(comm::Cpu());
      for (int64_t end = 300'000; end > 0; end -= 100'000) {
        reducer.ReadyDownTo(end - 50'000);
        const bool last_stage = groups.coordinate.pipeline == 1;
        EXPECT_TRUE((last_stage ? groups.pipeline->Send(comm::Cpu(), Of(handed), 0)
                                : groups.pipeline->Recv(comm::Cpu(), Of(handed), 1))
                        .ok());
      }
      EXPECT_TRUE(reducer.Finish().ok());
      // Ranks 0 and 1 are the first stage, 2 and 3 the last.
      EXPECT_EQ(gradients, std::vector<float>(300'000, groups.coordinate.pipeline == 0 ? 1 + 2 : 3 + 4));
    }
    return "";
  });
}

}  // namespace
}  // namespace galley::parallel
