// What happens when ranks end, abort or leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "runtime/comm/monotonic.h"
#include "runtime/comm/ranks_for_test.h"

namespace galley::comm {
namespace {

// Waits for `condition`; fails after half a minute.
template <class F>
[[nodiscard]] bool Eventually(F condition) {
  for (int64_t end = MonotonicNs() + 30'000'000'000; !condition();) {
    if (MonotonicNs() > end) return false;
    sched_yield();
  }
  return true;
}

struct Observed {
  std::atomic<int> rounds[8] = {};
  std::atomic<int64_t> failed_at_ns[8] = {};
  std::atomic<int64_t> event_at_ns = 0;
  char message[8][256] = {};

  bool AllPast(int size, int count) const {
    for (int r = 0; r < size; ++r) {
      if (rounds[r] < count) return false;
    }
    return true;
  }
};

enum class Op { kLargeAllReduce, kSmallAllReduce, kBroadcast, kAllGather, kSendRecv, kPairs };

// Once around the ranks.
absl::Status PassOn(Group& group, View data) {
  const int next = (group.rank() + 1) % group.size();
  const int previous = (group.rank() + group.size() - 1) % group.size();
  absl::Status status;
  if (group.rank() != 0) status = group.Recv(Cpu(), data, previous);
  if (status.ok()) status = group.Send(Cpu(), data, next);
  if (status.ok() && group.rank() == 0) status = group.Recv(Cpu(), data, previous);
  return status;
}

absl::Status Run(Group& group, Op op, std::vector<float>& data) {
  const auto n = static_cast<int64_t>(data.size()) / group.size();
  View all(data.data(), DType::kF32, Shape{n * group.size()});
  switch (op) {
    case Op::kLargeAllReduce:
      return group.AllReduceSum(Cpu(), all);
    case Op::kSmallAllReduce:
      return group.AllReduceSum(Cpu(), View(data.data(), DType::kF32, Shape{16}));
    case Op::kBroadcast:
      return group.Broadcast(Cpu(), all, 0);
    case Op::kAllGather:
      return group.AllGather(Cpu(), View(data.data() + n * group.rank(), DType::kF32, Shape{n}), all);
    case Op::kSendRecv:
      return PassOn(group, View(data.data(), DType::kF32, Shape{400'000}));
    case Op::kPairs:
      break;  // see RunUntilFailure
  }
  return absl::OkStatus();
}

// The ranks in pairs, each of which has no part in what the others do.
std::unique_ptr<Group> Pair(Group& world) {
  auto pair = world.Split(world.rank() / 2, 0);
  CHECK(pair.ok()) << pair.status().ToString();
  return *std::move(pair);
}

// The same collective again and again until it fails; writes down when and how.
void RunUntilFailure(Group& world, Op op, Observed& observed) {
  const int rank = world.rank();
  std::unique_ptr<Group> pair = op == Op::kPairs ? Pair(world) : nullptr;
  Group& group = pair != nullptr ? *pair : world;
  if (pair != nullptr) op = Op::kLargeAllReduce;
  std::vector<float> data(4'000'000);
  absl::Status status;
  while (status.ok()) {
    status = Run(group, op, data);
    observed.rounds[rank].fetch_add(1);
  }
  observed.failed_at_ns[rank] = MonotonicNs();
  strncpy(observed.message[rank], status.ToString().c_str(), sizeof(observed.message[rank]) - 1);
  // A broken group stays broken, at once and with the same words.
  EXPECT_EQ(Run(group, op, data), status);
  EXPECT_EQ(world.Barrier(), status);
}

struct DeathCase {
  const char* name;
  int size;
  Op op;
  bool shared_memory;
};

class DeathTest : public testing::TestWithParam<DeathCase> {};
INSTANTIATE_TEST_SUITE_P(Kill, DeathTest,
                         testing::Values(DeathCase{"RingOf2", 2, Op::kLargeAllReduce, true},
                                         DeathCase{"RingOf5", 5, Op::kLargeAllReduce, true},
                                         DeathCase{"DoublingOf3", 3, Op::kSmallAllReduce, true},
                                         DeathCase{"DoublingOf4", 4, Op::kSmallAllReduce, true},
                                         DeathCase{"BroadcastOf4", 4, Op::kBroadcast, true},
                                         DeathCase{"GatherOf3", 3, Op::kAllGather, true},
                                         DeathCase{"MessagesOf3", 3, Op::kSendRecv, true},
                                         DeathCase{"PairsOf4", 4, Op::kPairs, true},
                                         DeathCase{"NetworkMessagesOf3", 3, Op::kSendRecv, false},
                                         DeathCase{"NetworkPairsOf4", 4, Op::kPairs, false},
                                         DeathCase{"NetworkRingOf2", 2, Op::kLargeAllReduce, false},
                                         DeathCase{"NetworkRingOf4", 4, Op::kLargeAllReduce, false},
                                         DeathCase{"NetworkDoublingOf3", 3, Op::kSmallAllReduce, false}),
                         [](const auto& info) { return info.param.name; });

TEST_P(DeathTest, SurvivorsNameTheLostRankWithinASecond) {
  const auto [name, size, op, shared_memory] = GetParam();
  const int victim = size / 2;
  Shared<Observed> observed;
  UcxOptions options;
  options.shared_memory = shared_memory;
  TestRanks ranks(size, [&, op = op, size = size](int rank, const TestLine& line) {
    auto group = ConnectInTest(line, rank, size, options);
    RunUntilFailure(*group, op, *observed.operator->());
    line.RecvText();  // holds on to the group, so that the first to fail does not end, too
  });
  ranks.PassAddresses();
  ASSERT_TRUE(Eventually([&, size = size] { return observed->AllPast(size, 3); }));
  observed->event_at_ns = MonotonicNs();
  ranks.Kill(victim);
  for (int r = 0; r < size; ++r) {
    if (r == victim) continue;
    ASSERT_TRUE(Eventually([&] { return observed->failed_at_ns[r] != 0; })) << "rank " << r << " hangs";
    EXPECT_LT(observed->failed_at_ns[r] - observed->event_at_ns, 1'000'000'000);
  }
  for (int r = 0; r < size; ++r) {
    if (r != victim) ranks.line(r).SendText("end");
    EXPECT_EQ(ranks.Wait(r), r != victim);
    if (r != victim) {
      EXPECT_THAT(std::string(observed->message[r]),
                  testing::HasSubstr("rank " + std::to_string(victim) + " was lost"))
          << "rank " << r;
    }
  }
}

TEST(Failure, AbortFromAnotherThreadEndsTheCollectiveHereAndOnAllOtherRanks) {
  constexpr int kSize = 3;
  Shared<Observed> observed;
  TestRanks ranks(kSize, [&](int rank, const TestLine& line) {
    auto group = ConnectInTest(line, rank, kSize);
    std::thread link;
    if (rank == 1) {
      link = std::thread([&] {
        EXPECT_TRUE(Eventually([&] { return observed->AllPast(kSize, 3); }));
        observed->event_at_ns = MonotonicNs();
        group->Abort("the controller said stop");
      });
    }
    RunUntilFailure(*group, Op::kLargeAllReduce, *observed.operator->());
    if (link.joinable()) link.join();
    line.RecvText();
  });
  ranks.PassAddresses();
  for (int r = 0; r < kSize; ++r) {
    ASSERT_TRUE(Eventually([&] { return observed->failed_at_ns[r] != 0; })) << "rank " << r << " hangs";
    EXPECT_LT(observed->failed_at_ns[r] - observed->event_at_ns, 1'000'000'000);
  }
  for (int r = 0; r < kSize; ++r) ranks.line(r).SendText("end");
  ranks.ExpectAllEndWell();
  EXPECT_STREQ(observed->message[1], "ABORTED: the controller said stop");
  EXPECT_THAT(std::string(observed->message[0]), testing::HasSubstr("rank 1 gave up"));
  EXPECT_THAT(std::string(observed->message[2]), testing::HasSubstr("rank 1 gave up"));
}

TEST(Failure, AbortOfASplitGroupEndsWhatAllOthersDoInAnyGroup) {
  constexpr int kSize = 4;
  Shared<Observed> observed;
  TestRanks ranks(kSize, [&](int rank, const TestLine& line) {
    auto world = ConnectInTest(line, rank, kSize);
    std::unique_ptr<Group> pair = Pair(*world);
    observed->rounds[rank] = 1;
    std::vector<float> data(100'000);
    View view(data.data(), DType::kF32, Shape{100'000});
    absl::Status status;
    if (rank == 3) {
      EXPECT_TRUE(Eventually([&] { return observed->AllPast(kSize, 1); }));
      observed->event_at_ns = MonotonicNs();
      pair->Abort("the controller said stop");
      status = pair->Barrier();
    } else if (rank == 2) {
      status = pair->Recv(Cpu(), view, 1);  // which rank 3 never sends
    } else {
      // The other pair: one waits in it, one in the world.
      status = rank == 0 ? pair->Barrier() : world->AllReduceSum(Cpu(), view);
    }
    observed->failed_at_ns[rank] = MonotonicNs();
    strncpy(observed->message[rank], status.ToString().c_str(), sizeof(observed->message[rank]) - 1);
    line.RecvText();
  });
  ranks.PassAddresses();
  for (int r = 0; r < kSize; ++r) {
    ASSERT_TRUE(Eventually([&] { return observed->failed_at_ns[r] != 0; })) << "rank " << r << " hangs";
    EXPECT_LT(observed->failed_at_ns[r] - observed->event_at_ns, 1'000'000'000);
  }
  for (int r = 0; r < kSize; ++r) ranks.line(r).SendText("end");
  ranks.ExpectAllEndWell();
  EXPECT_STREQ(observed->message[3], "ABORTED: the controller said stop");
  for (int r = 0; r < 3; ++r) {
    EXPECT_THAT(std::string(observed->message[r]), testing::HasSubstr("rank 3 gave up")) << "rank " << r;
  }
}

// A rank may be in two groups at once: what breaks one of them ends the thread in the other, too.
TEST(Failure, AThreadInAnotherGroupIsEndedByWhatTheFirstMeets) {
  RunRanks(4, [](Group& world) -> std::string {
    std::unique_ptr<Group> pair = Pair(world);
    if (world.rank() == 3) return "";  // leaves
    std::vector<float> data(500'000);
    View view(data.data(), DType::kF32, Shape{500'000});
    absl::Status in_pair;
    std::thread other([&] {
      for (in_pair = absl::OkStatus(); in_pair.ok();) in_pair = pair->AllReduceSum(Cpu(), view);
    });
    absl::Status in_world = world.Barrier();
    other.join();
    EXPECT_EQ(in_world.code(), absl::StatusCode::kUnavailable) << in_world.ToString();
    EXPECT_EQ(in_pair, in_world);
    return "";
  });
}

TEST(Failure, ARankThatWaitsForASleeperCanBeAborted) {
  Shared<Observed> observed;
  TestRanks ranks(2, [&](int rank, const TestLine& line) {
    auto group = ConnectInTest(line, rank, 2);
    if (rank == 1) {
      line.RecvText();  // alive, but never comes to the barrier
      return;
    }
    std::thread link([&] {
      EXPECT_TRUE(Eventually([&] { return observed->rounds[0] == 1; }));
      observed->event_at_ns = MonotonicNs();
      group->Abort("hang");
    });
    observed->rounds[0] = 1;
    EXPECT_EQ(group->Barrier(), absl::AbortedError("hang"));
    EXPECT_LT(MonotonicNs() - observed->event_at_ns, 1'000'000'000);
    link.join();
  });
  ranks.PassAddresses();
  EXPECT_TRUE(ranks.Wait(0));
  ranks.line(1).SendText("end");
  ranks.ExpectAllEndWell();
}

TEST(Failure, LeavingAfterTheLastCollectiveHurtsNobodyAndIsToldToThoseWhoWantMore) {
  for (bool shared_memory : {true, false}) {
    UcxOptions options;
    options.shared_memory = shared_memory;
    RunRanks(
        3,
        [](Group& group) -> std::string {
          std::vector<float> data(100'000, 1.0f);
          View view(data.data(), DType::kF32, Shape{100'000});
          EXPECT_TRUE(group.Broadcast(Cpu(), view, 0).ok());  // rank 0 is done with it first
          if (group.rank() == 0) return "";                   // and leaves
          absl::Status status = group.Barrier();
          EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status.ToString();
          EXPECT_THAT(std::string(status.message()), testing::HasSubstr("rank"));
          return "";
        },
        options);
  }
}

TEST(Failure, RanksThatDisagreeAboutASizeGetAnError) {
  RunRanks(2, [](Group& group) -> std::string {
    std::vector<float> data(1'000'000);
    const int64_t count = group.rank() == 0 ? 1000 : 2000;
    absl::Status status = group.AllReduceSum(Cpu(), View(data.data(), DType::kF32, Shape{count}));
    EXPECT_FALSE(status.ok());
    return "";
  });
}

}  // namespace
}  // namespace galley::comm
