// Saves that fail from outside: the disk is full, the process is killed.
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/test_state.h"

namespace galley::checkpoint {
namespace {

using testing::HasSubstr;

TEST(FullDisk, NamesFileAndNumbersAndLeavesTheEarlierCheckpoint) {
  TempDir dir;
  // Space for one checkpoint of 4.3 MB and no second.
  if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=6m") != 0) {
    GTEST_SKIP() << "mounting a small tmpfs needs root";
  }
  TestState state(7), later(8);
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100).ok());
  const std::vector<ShardReport> reports = WriteShards(dir.path(), later, 2, 200);
  ASSERT_EQ(reports.size(), 2u);
  const absl::Status failed = reports[0].status.ok() ? reports[1].status : reports[0].status;
  EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(failed.message(),
              testing::AllOf(HasSubstr(JoinPath(dir.path(), ".step-200.a1/shard-0000")),
                             HasSubstr("the checkpoint of step 200 needs "), HasSubstr(" free"),
                             HasSubstr("the earlier checkpoints are kept")));
  EXPECT_EQ(Commit(dir.path(), InfoOf(200), reports).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Names(dir.path()), testing::ElementsAre("latest", "step-100"));
  auto latest = FindLatest(dir.path(), nullptr);
  ASSERT_TRUE(latest.ok());
  ASSERT_TRUE(Load(HostStream(), *latest, later.items()).ok());
  EXPECT_TRUE(later.Bytes() == state.Bytes());

  // No byte left even for a manifest: the shards fit, the commit fails, nothing is lost.
  ASSERT_TRUE(ApplyRetention(dir.path(), 1, nullptr, 1).ok());
  ASSERT_TRUE(DeleteCheckpoint(StepPath(dir.path(), 100)).ok());
  ASSERT_TRUE(SaveAll(dir.path(), state, 1, 100).ok());
  std::vector<float> small(10, 1.0F);
  const std::vector<Item> items = {Item::Whole("s", View(small.data(), DType::kF32, {10}))};
  std::vector<ShardReport> tiny;
  {
    auto writer = Writer::Create(dir.path(), 0, 1, 40);
    ASSERT_TRUE((*writer)
                    ->Snapshot(HostStream(), 300, 1, items, [&](const ShardReport& r) { tiny.push_back(r); })
                    .ok());
  }
  ASSERT_TRUE(tiny[0].status.ok()) << tiny[0].status;
  Spill(JoinPath(dir.path(), "filler"), std::string(static_cast<size_t>(FreeBytes(dir.path()).value()), 'x'));
  const absl::Status status = Commit(dir.path(), InfoOf(300), tiny);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(status.message(), HasSubstr("manifest.json"));
  EXPECT_EQ(FindLatest(dir.path(), nullptr).value(), StepPath(dir.path(), 100));
  EXPECT_EQ(::umount(dir.path().c_str()), 0);
}

// Saves steps 1, 2, ... with retention until it is killed, and reports each step whose Commit returned OK.
[[noreturn]] void SaveForever(const std::string& directory, int64_t attempt, int64_t from, int out) {
  TestState state(0);
  const int world = 2;
  std::vector<std::unique_ptr<Writer>> writers;
  for (int rank = 0; rank < world; ++rank) {
    writers.push_back(*Writer::Create(directory, rank, world, TotalBytes(state.items())));
  }
  if (!Claim(directory, attempt, "run").ok()) ::_exit(3);
  for (int64_t step = from;; ++step) {
    state.Fill(static_cast<uint64_t>(step));
    std::vector<ShardReport> reports(world);
    for (int rank = 0; rank < world; ++rank) {
      const auto i = static_cast<size_t>(rank);
      absl::Status status =
          writers[i]->Snapshot(HostStream(), step, attempt, Share(state.items(), rank, world),
                               [&reports, i](const ShardReport& r) { reports[i] = r; });
      if (!status.ok()) ::_exit(4);
    }
    for (auto& writer : writers) writer->Wait();
    if (!Commit(directory, InfoOf(step, attempt), reports).ok()) ::_exit(5);
    if (::write(out, &step, sizeof(step)) != sizeof(step)) ::_exit(6);
    if (!ApplyRetention(
             directory, 2, [](int64_t step) { return step % 5 == 0; }, attempt)
             .ok())
      ::_exit(7);
  }
}

TEST(Killed, TheNewestCheckpointIsAlwaysCompleteAndNeverOlderThanTheLastCommit) {
  TempDir dir;
  Philox rng(20, 0);
  int64_t step = 0;
  for (int64_t attempt = 1; attempt <= 30; ++attempt) {
    int channel[2];
    ASSERT_EQ(::pipe(channel), 0);
    // Each attempt takes the last step again, as a recovery does.
    const int64_t from = std::max<int64_t>(1, step);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(channel[0]);
      SaveForever(dir.path(), attempt, from, channel[1]);
    }
    ::close(channel[1]);
    // Killed at a random instant: some time after a random number of commits.
    const auto draw = rng.At(static_cast<uint64_t>(attempt));
    for (uint32_t commits = draw[0] % 3; commits > 0; --commits) {
      ASSERT_EQ(::read(channel[0], &step, sizeof(step)), static_cast<ssize_t>(sizeof(step)));
    }
    (void)::poll(nullptr, 0, static_cast<int>(draw[1] % 60));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
    while (::read(channel[0], &step, sizeof(step)) == static_cast<ssize_t>(sizeof(step))) {
    }
    ::close(channel[0]);

    if (step == 0) continue;  // killed before its first commit
    auto latest = FindLatest(dir.path(), nullptr);
    ASSERT_TRUE(latest.ok()) << latest.status();
    const int64_t found = *StepOfFolder(BaseName(*latest));
    EXPECT_GE(found, step);
    EXPECT_LE(found, step + 1);
    TestState loaded(0), expected(static_cast<uint64_t>(found));
    ASSERT_TRUE(Load(HostStream(), *latest, loaded.items()).ok());
    EXPECT_TRUE(loaded.Bytes() == expected.Bytes());
    for (const Entry& entry : List(dir.path())) EXPECT_TRUE(entry.status.ok()) << entry.status;
    step = found;
  }
  EXPECT_GT(step, 5);
  // The next attempt removes what the killed ones left.
  ASSERT_TRUE(Claim(dir.path(), 31, "run").ok());
  for (const std::string& name : Names(dir.path())) {
    EXPECT_FALSE(AttemptOfPartial(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace galley::checkpoint
