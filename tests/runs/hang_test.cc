// A rank that stops making steps without dying is noticed through the four real programs, every rank of its
// attempt is ended, and the run goes on from its last checkpoint as if nothing had happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/runs/small_run.h"
#include "tests/support/folder_watch.h"
#include "tests/support/program.h"

namespace galley {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::RankProcess;
using testing::ReadMetrics;
using testing::Series;
using testing::Shards;

constexpr int64_t kStopAfter = 17;  // checkpoints of steps 5, 10 and 15 lie before it, step 20's behind

// The messages of all events of that kind, in order.
std::vector<std::string> Messages(const std::string& run_dir, const std::string& kind) {
  std::vector<std::string> out;
  std::ifstream in(JoinPath(run_dir, "events.jsonl"));
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json event = nlohmann::json::parse(line);
    if (event["kind"] == kind) out.push_back(event["message"]);
  }
  return out;
}

TEST(Hang, AStoppedRankIsReplacedAndTheRunIsBitIdentical) {
  const TempDir home;
  const std::string& dir = home.path();
  testing::PrepareSmallRun(dir);
  const std::string reference = JoinPath(dir, "reference");
  const Outcome undisturbed = testing::Run(testing::TrainArgs(reference), dir, 120, testing::TrainEnv(dir));
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.err;

  const std::string run_dir = JoinPath(dir, "run");
  ASSERT_TRUE(MakeDirs(run_dir).ok());
  std::vector<RankProcess> first;
  testing::Program train(testing::TrainArgs(run_dir, {"limits.hang=3s"}), dir, testing::TrainEnv(dir));
  {
    testing::FolderWatch watch(run_dir);
    while (!FileExists(JoinPath(run_dir, "result.json"))) {
      const Series series = ReadMetrics(run_dir);
      if (!series.steps.empty() && series.steps.rbegin()->first >= kStopAfter) break;
      watch.Wait();
    }
    first = testing::RanksOf(run_dir);
    ASSERT_EQ(first.size(), 2u);
    // Its process lives on and its sockets stay open: nothing but the missing steps tells of it.
    for (const RankProcess& rank : first) {
      if (rank.rank == 1) {
        ASSERT_EQ(kill(rank.pid, SIGSTOP), 0);
      }
    }
  }
  const Outcome outcome = train.Wait(180);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const RankProcess& rank : first) {
    EXPECT_NE(kill(rank.pid, 0), 0) << "rank " << rank.rank << " of the first attempt still lives";
  }
  EXPECT_TRUE(testing::RanksOf(run_dir).empty());

  const std::vector<std::string> failed = Messages(run_dir, "attempt_failed");
  ASSERT_FALSE(failed.empty());
  // Where it was is what its last heartbeat told, up to a second before: in training or in an evaluation.
  EXPECT_THAT(failed.front(), AllOf(HasSubstr("rank 1 made no progress for"), HasSubstr(", after step")));
  const std::vector<std::string> planned = Messages(run_dir, "attempt_planned");
  ASSERT_EQ(planned.size(), 2u);
  EXPECT_THAT(planned[1], HasSubstr("checkpoints/step-"));

  const Series expected = ReadMetrics(reference), actual = ReadMetrics(run_dir);
  EXPECT_EQ(actual.attempts, 2);
  EXPECT_EQ(actual.steps, expected.steps);
  ASSERT_EQ(Shards(reference, testing::kSmallSteps).size(), 2u);
  EXPECT_EQ(Shards(run_dir, testing::kSmallSteps), Shards(reference, testing::kSmallSteps));
}

}  // namespace
}  // namespace galley
