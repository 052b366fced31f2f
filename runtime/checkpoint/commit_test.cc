#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/test_state.h"

namespace galley::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Commit, AStepTakenAgainReplacesTheOldAsAWhole) {
  TempDir dir;
  TestState state(7), other(8);
  ASSERT_TRUE(SaveAll(dir.path(), other, 3, 100, 1).ok());
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100, 2).ok());
  EXPECT_THAT(Names(dir.path()), ElementsAre("latest", "step-100"));
  EXPECT_EQ(Open(StepPath(dir.path(), 100), true)->info.attempt, 2);
  TestState loaded(9);
  ASSERT_TRUE(Load(HostStream(), StepPath(dir.path(), 100), loaded.items()).ok());
  EXPECT_TRUE(loaded.Bytes() == state.Bytes());
  // Equal bytes saved twice in one attempt are no different.
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100, 2).ok());
  EXPECT_TRUE(Open(StepPath(dir.path(), 100), true).ok());
}

TEST(Commit, AStepTakenAgainHealsABrokenOne) {
  TempDir dir;
  TestState state(7);
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100, 1).ok());
  std::filesystem::remove(JoinPath(StepPath(dir.path(), 100), "manifest.json"));
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100, 2).ok());
  EXPECT_TRUE(Open(StepPath(dir.path(), 100), true).ok());
}

TEST(Commit, OneFailedReportLeavesTheEarlierCheckpoint) {
  TempDir dir;
  TestState state(7);
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100).ok());
  std::vector<ShardReport> reports = WriteShards(dir.path(), state, 2, 200);
  reports[1].status = absl::ResourceExhaustedError("shard-00001-of-00002.safetensors: disk full");
  const absl::Status status = Commit(dir.path(), InfoOf(200), reports);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(),
              HasSubstr("step 200 is not saved: shard-00001-of-00002.safetensors: disk full"));
  EXPECT_THAT(Names(dir.path()), ElementsAre("latest", "step-100"));
  EXPECT_EQ(FindLatest(dir.path(), nullptr).value(), StepPath(dir.path(), 100));
}

TEST(Commit, ShardsMustBeThoseThatWereReported) {
  TempDir dir;
  TestState state(7);
  std::vector<ShardReport> reports = WriteShards(dir.path(), state, 2, 100);
  std::vector<ShardReport> few = {reports[0]};
  EXPECT_THAT(Commit(dir.path(), InfoOf(100), few).message(), HasSubstr("each rank reports once"));

  reports = WriteShards(dir.path(), state, 2, 100);
  std::vector<ShardReport> twice = {reports[0], reports[0]};
  EXPECT_THAT(Commit(dir.path(), InfoOf(100), twice).message(), HasSubstr("each rank reports once"));

  reports = WriteShards(dir.path(), state, 2, 100);
  std::filesystem::remove(JoinPath(dir.path(), ".step-100.a1/shard-00001-of-00002.safetensors"));
  EXPECT_TRUE(absl::IsNotFound(Commit(dir.path(), InfoOf(100), reports)));

  reports = WriteShards(dir.path(), state, 2, 100);
  reports[1].bytes += 1;
  EXPECT_THAT(Commit(dir.path(), InfoOf(100), reports).message(), HasSubstr("its rank wrote"));
  EXPECT_TRUE(Names(dir.path()).empty());

  reports = WriteShards(dir.path(), state, 2, 100);
  ManifestInfo info = InfoOf(100);
  info.state["bad"] = "{no json";
  EXPECT_EQ(Commit(dir.path(), info, reports).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Commit, RowsThatNoRankWroteAreNoticed) {
  TempDir dir;
  TestState state(7);
  std::vector<ShardReport> reports;
  std::string missing;
  for (int rank = 0; rank < 2; ++rank) {
    std::vector<Item> mine = Share(state.items(), rank, 2);
    if (rank == 1) {
      missing =
          absl::StrCat("tensor ", mine[0].name, ": element [", mine[0].slice.begin[0], ",0] is in no shard");
      mine.erase(mine.begin());
    }
    auto writer = Writer::Create(dir.path(), rank, 2, TotalBytes(mine));
    ASSERT_TRUE((*writer)
                    ->Snapshot(HostStream(), 1, 1, mine, [&](const ShardReport& r) { reports.push_back(r); })
                    .ok());
    (*writer)->Wait();
  }
  EXPECT_THAT(Commit(dir.path(), InfoOf(1), reports).message(), HasSubstr(missing));
}

TEST(Claim, AnOlderAttemptMayNotCommit) {
  TempDir dir;
  TestState state(7), late(8);
  ASSERT_TRUE(Claim(dir.path(), 1, "run-a").ok());
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100, 1).ok());
  const std::vector<ShardReport> reports = WriteShards(dir.path(), late, 2, 200, 1);
  ASSERT_TRUE(Claim(dir.path(), 2, "run-a").ok());  // takes over, and clears what attempt 1 was writing
  EXPECT_THAT(Names(dir.path()), ElementsAre("epoch.2", "latest", "step-100"));
  const absl::Status status = Commit(dir.path(), InfoOf(200, 1), reports);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("attempt 2 has taken over; attempt 1 may not commit"));
  EXPECT_EQ(SaveAll(dir.path(), late, 2, 200, 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ApplyRetention(dir.path(), 1, nullptr, 1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Claim(dir.path(), 1, "run-a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Claim(dir.path(), 2, "run-a").ok());  // again: nothing changes
  EXPECT_THAT(Names(dir.path()), ElementsAre("epoch.2", "latest", "step-100"));
  EXPECT_TRUE(SaveAll(dir.path(), late, 2, 200, 2).ok());
}

TEST(Claim, TwoRunsDoNotShareAFolder) {
  TempDir dir;
  ASSERT_TRUE(Claim(JoinPath(dir.path(), "deep/er"), 1, "run-a").ok());
  const absl::Status status = Claim(JoinPath(dir.path(), "deep/er"), 2, "run-b");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(),
              HasSubstr("holds the checkpoints of run run-a, this is run run-b; resume that run"));
}

TEST(FindLatest, PrefersTheLatestAttemptOverTheHighestStep) {
  TempDir dir;
  TestState state(7);
  ASSERT_TRUE(SaveAll(dir.path(), state, 1, 100, 1).ok());
  ASSERT_TRUE(SaveAll(dir.path(), state, 1, 200, 1).ok());
  // Attempt 2 went back to step 100.
  ASSERT_TRUE(SaveAll(dir.path(), state, 1, 120, 2).ok());
  EXPECT_EQ(FindLatest(dir.path(), nullptr).value(), StepPath(dir.path(), 120));
  ASSERT_TRUE(ApplyRetention(dir.path(), 1, nullptr, 2).ok());
  EXPECT_THAT(Names(dir.path()), ElementsAre("latest", "step-120"));
}

TEST(FindLatest, SaysWhenThereIsNone) {
  TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(FindLatest(dir.path(), nullptr).status()));
  EXPECT_TRUE(absl::IsNotFound(FindLatest(JoinPath(dir.path(), "none"), nullptr).status()));
  EXPECT_TRUE(absl::IsNotFound(Open(JoinPath(dir.path(), "step-1"), true).status()));
}

TEST(List, IsByStepAndHoldsCompleteAndBrokenOnes) {
  TempDir dir;
  TestState state(7);
  for (int64_t step : {100, 9, 20}) ASSERT_TRUE(SaveAll(dir.path(), state, 1, step).ok());
  (void)WriteShards(dir.path(), state, 1, 300);
  ASSERT_TRUE(MakeDirs(JoinPath(dir.path(), "step-0020")).ok());
  std::filesystem::remove(JoinPath(StepPath(dir.path(), 20), "manifest.json"));
  const std::vector<Entry> entries = List(dir.path());
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].step, 9);
  EXPECT_GT(entries[0].bytes, TotalBytes(state.items()));
  EXPECT_EQ(entries[1].step, 20);
  EXPECT_TRUE(absl::IsNotFound(entries[1].status));
  EXPECT_EQ(entries[2].step, 100);
}

TEST(Retention, KeepsTheLastAndTheMultiplesAndAlwaysTheNewest) {
  TempDir dir;
  TestState state(7);
  for (int64_t step = 10; step <= 80; step += 10) ASSERT_TRUE(SaveAll(dir.path(), state, 1, step).ok());
  auto removed = ApplyRetention(
      dir.path(), 2, [](int64_t step) { return step % 40 == 0; }, 1);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(*removed, testing::UnorderedElementsAre(StepPath(dir.path(), 10), StepPath(dir.path(), 20),
                                                      StepPath(dir.path(), 30), StepPath(dir.path(), 50),
                                                      StepPath(dir.path(), 60)));
  EXPECT_THAT(Names(dir.path()), ElementsAre("latest", "step-40", "step-70", "step-80"));
  EXPECT_TRUE(ApplyRetention(dir.path(), 0, nullptr, 1)->empty());  // 0: all
  ASSERT_TRUE(ApplyRetention(dir.path(), 1, nullptr, 1).ok());
  EXPECT_THAT(Names(dir.path()), ElementsAre("latest", "step-80"));
}

TEST(Retention, BrokenOnesDoNotCount) {
  TempDir dir;
  TestState state(7);
  for (int64_t step = 10; step <= 40; step += 10) ASSERT_TRUE(SaveAll(dir.path(), state, 1, step).ok());
  for (int64_t step : {10, 30, 40}) {
    std::filesystem::resize_file(JoinPath(StepPath(dir.path(), step), "shard-00000-of-00001.safetensors"),
                                 100);
  }
  ASSERT_TRUE(ApplyRetention(dir.path(), 1, nullptr, 1).ok());
  EXPECT_THAT(Names(dir.path()), ElementsAre("latest", "step-20", "step-30", "step-40"));
}

TEST(Retention, ClearsWhatOlderAttemptsLeft) {
  TempDir dir;
  TestState state(7);
  ASSERT_TRUE(SaveAll(dir.path(), state, 1, 10, 3).ok());
  (void)WriteShards(dir.path(), state, 1, 20, 1);
  (void)WriteShards(dir.path(), state, 1, 20, 3);  // this attempt's own save, in progress
  Spill(JoinPath(dir.path(), "latest.tmp.77"), "step");
  Spill(JoinPath(dir.path(), "notes.txt"), "a user's own");
  // A deletion that was cut short.
  ASSERT_TRUE(SaveAll(dir.path(), state, 1, 5, 3).ok());
  std::filesystem::rename(JoinPath(StepPath(dir.path(), 5), "manifest.json"),
                          JoinPath(StepPath(dir.path(), 5), "manifest.deleted"));
  EXPECT_EQ(List(dir.path()).size(), 1u);
  ASSERT_TRUE(ApplyRetention(dir.path(), 5, nullptr, 3).ok());
  EXPECT_THAT(Names(dir.path()), ElementsAre(".step-20.a3", "latest", "notes.txt", "step-10"));
}

}  // namespace
}  // namespace galley::checkpoint
