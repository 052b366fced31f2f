// Groups split from a group: who is in them, what they compute, and that they do not disturb each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/hash.h"
#include "runtime/comm/ranks_for_test.h"

namespace galley::comm {
namespace {

View Of(std::vector<float>& v) { return View(v.data(), DType::kF32, Shape{static_cast<int64_t>(v.size())}); }

std::unique_ptr<Group> MustSplit(Group& group, int color, int key) {
  auto part = group.Split(color, key);
  CHECK(part.ok()) << part.status().ToString();
  return *std::move(part);
}

// The world's ranks of a group, in its order.
std::string MembersOf(Group& group, int world_rank) {
  std::vector<int64_t> ranks(static_cast<size_t>(group.size()));
  int64_t own = world_rank;
  EXPECT_TRUE(group
                  .AllGather(Cpu(), View(&own, DType::kI64, Shape{1}),
                             View(ranks.data(), DType::kI64, Shape{group.size()}))
                  .ok());
  return absl::StrCat(absl::StrJoin(ranks, ","), "/", group.rank());
}

class SplitTest : public testing::TestWithParam<bool> {
 protected:
  UcxOptions Options() const {
    UcxOptions options;
    options.shared_memory = GetParam();
    return options;
  }
};
INSTANTIATE_TEST_SUITE_P(Transports, SplitTest, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "SharedMemory" : "Network"; });

TEST_P(SplitTest, ColorsPartAndKeysOrder) {
  std::vector<std::string> members = RunRanks(
      5,
      [](Group& world) {
        // Colors 7 and -1; keys fall, but those of ranks 2 and 4 are equal.
        const int rank = world.rank();
        auto part = MustSplit(world, rank % 2 == 0 ? 7 : -1, rank == 4 ? -2 : -rank);
        return MembersOf(*part, rank);
      },
      Options());
  EXPECT_EQ(members, (std::vector<std::string>{"2,4,0/2", "3,1/1", "2,4,0/0", "3,1/0", "2,4,0/1"}));
}

// A mesh of two by two, tensor the faster axis.
struct Grid {
  explicit Grid(Group& world)
      : tensor(MustSplit(world, world.rank() / 2, world.rank() % 2)),
        data(MustSplit(world, world.rank() % 2, world.rank() / 2)) {}
  std::unique_ptr<Group> tensor, data;
};

TEST_P(SplitTest, GroupsOfAMeshReduceInTurns) {
  RunRanks(
      4,
      [](Group& world) -> std::string {
        Grid grid(world);
        const int rank = world.rank();
        // From latency-bound to many segments, so that each algorithm runs beside each other one.
        for (int64_t count : {1, 1000, 100'003, 700'000, 3}) {
          const auto n = static_cast<size_t>(count);
          std::vector<float> tensor(n, static_cast<float>(1 << rank)), data = tensor, all = tensor;
          EXPECT_TRUE(grid.tensor->AllReduceSum(Cpu(), Of(tensor)).ok());
          EXPECT_TRUE(grid.data->AllReduceSum(Cpu(), Of(data)).ok());
          EXPECT_TRUE(world.AllReduceSum(Cpu(), Of(all)).ok());
          EXPECT_EQ(tensor, std::vector<float>(n, rank < 2 ? 1 + 2 : 4 + 8));
          EXPECT_EQ(data, std::vector<float>(n, rank % 2 == 0 ? 1 + 4 : 2 + 8));
          EXPECT_EQ(all, std::vector<float>(n, 15));
        }
        return "";
      },
      Options());
}

TEST_P(SplitTest, ThreadsInDifferentGroupsWorkAtOnce) {
  RunRanks(
      4,
      [](Group& world) -> std::string {
        Grid grid(world);
        const auto rounds = [rank = world.rank()](Group& group, float sum) {
          for (int round = 0; round < 20; ++round) {
            std::vector<float> data(round % 3 == 0 ? 200'000 : 500, static_cast<float>(1 << rank));
            EXPECT_TRUE(group.AllReduceSum(Cpu(), Of(data)).ok());
            EXPECT_EQ(data, std::vector<float>(data.size(), sum));
          }
        };
        std::thread reducer([&] { rounds(*grid.data, world.rank() % 2 == 0 ? 1 + 4 : 2 + 8); });
        rounds(*grid.tensor, world.rank() < 2 ? 1 + 2 : 4 + 8);
        reducer.join();
        return "";
      },
      Options());
}

std::string Digests(Group& group) {
  std::string digests;
  for (int64_t count : {1000, 100'003}) {
    std::vector<float> data(static_cast<size_t>(count));
    for (size_t i = 0; i < data.size(); ++i) {
      data[i] = std::sin(static_cast<float>(i) * 0.37f + static_cast<float>(group.rank()));
    }
    EXPECT_TRUE(group.AllReduceSum(Cpu(), Of(data)).ok());
    absl::StrAppend(
        &digests,
        Hash64(absl::string_view(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(float))),
        " ");
  }
  return digests;
}

TEST(Split, AGroupOfThreeGivesTheBitsOfAWorldOfThree) {
  const std::vector<std::string> three = RunRanks(3, Digests);
  const std::vector<std::string> parts = RunRanks(5, [](Group& world) -> std::string {
    auto part = MustSplit(world, world.rank() % 2, world.rank());
    return world.rank() % 2 == 0 ? Digests(*part) : "";
  });
  EXPECT_EQ(parts, (std::vector<std::string>{three[0], "", three[0], "", three[0]}));
}

TEST(Split, GroupsOfGroupsStayApartWhateverEachRankHasSplitBefore) {
  RunRanks(4, [](Group& world) -> std::string {
    auto half = MustSplit(world, world.rank() / 2, 0);
    // Ranks 0 and 1 have split more often than 2 and 3 when all split together again.
    std::vector<std::unique_ptr<Group>> parts;
    for (int i = 0; world.rank() < 2 && i < 3; ++i) parts.push_back(MustSplit(*half, 0, -half->rank()));
    auto again = MustSplit(world, 0, -world.rank());
    EXPECT_EQ(MembersOf(*again, world.rank()), absl::StrCat("3,2,1,0/", 3 - world.rank()));
    if (world.rank() < 2) {
      // The sender's messages in three groups are received in another order.
      Group& to = *parts[0];
      std::vector<float> values = {0, 1, 2};
      for (size_t i = 0; i < 3; ++i) {
        View value(&values[i], DType::kF32, Shape{1});
        const size_t g = to.rank() == 0 ? i : 2 - i;
        float got = -1;
        View into(&got, DType::kF32, Shape{1});
        if (to.rank() == 0) {
          EXPECT_TRUE(parts[g]->Send(Cpu(), value, 1).ok());
        } else {
          EXPECT_TRUE(parts[g]->Recv(Cpu(), into, 0).ok());
          EXPECT_EQ(got, static_cast<float>(g));
        }
      }
    }
    return "";
  });
}

TEST(Split, AGroupOutlivesTheOneItWasSplitFrom) {
  TestRanks ranks(2, [](int rank, const TestLine& line) {
    std::unique_ptr<Group> world = ConnectInTest(line, rank, 2);
    auto part = MustSplit(*world, 0, 0);
    world.reset();
    std::vector<float> data(1000, 1);
    ASSERT_TRUE(part->AllReduceSum(Cpu(), Of(data)).ok());
    EXPECT_EQ(data, std::vector<float>(1000, 2));
  });
  ranks.PassAddresses();
  ranks.ExpectAllEndWell();
}

TEST(Split, ThereIsALimitAndItIsTold) {
  RunRanks(2, [](Group& world) -> std::string {
    for (int i = 0; i < 255; ++i) MustSplit(world, 0, 0);
    EXPECT_EQ(world.Split(0, 0).status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(world.Barrier().ok());
    return "";
  });
}

TEST(Split, OfAGroupOfOneSharesItsAbort) {
  std::unique_ptr<Group> self = MakeSelfGroup();
  auto part = MustSplit(*self, 3, 0);
  EXPECT_EQ(part->size(), 1);
  EXPECT_TRUE(part->Barrier().ok());
  part->Abort("stop");
  EXPECT_EQ(self->Barrier(), absl::AbortedError("stop"));
  EXPECT_EQ(self->Split(0, 0).status(), absl::AbortedError("stop"));
}

}  // namespace
}  // namespace galley::comm
