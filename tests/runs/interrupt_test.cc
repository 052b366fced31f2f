// Ctrl-C, and Ctrl-C again, on the four real programs.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/base/file.h"
#include "tests/runs/small_run.h"
#include "tests/support/folder_watch.h"
#include "tests/support/program.h"

namespace galley {
namespace {

using testing::Outcome;

nlohmann::json Status(const std::string& run_dir, const std::string& dir) {
  const Outcome outcome = testing::Run({testing::Bin("trainctl"), "status", run_dir, "-o", "json"}, dir, 60,
                                       testing::TrainEnv(dir));
  return nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
}

TEST(Interrupt, ASecondOneDoesNotWaitForASaveThatDoesNotCome) {
  const TempDir home;
  const std::string& dir = home.path();
  testing::PrepareSmallRun(dir);
  const std::string run_dir = JoinPath(dir, "run");
  ASSERT_TRUE(MakeDirs(run_dir).ok());
  {
    testing::FolderWatch watch(run_dir);
    testing::Program train(testing::TrainArgs(run_dir, {"train.until=100000 steps",
                                                        "checkpoint.every=[{interval: 100000 steps}]"}),
                           dir, testing::TrainEnv(dir));
    while (testing::ReadMetrics(run_dir).steps.size() < 3 && !FileExists(JoinPath(run_dir, "result.json"))) {
      watch.Wait();
    }
    // A stopped rank: the ranks cannot agree on the step to save at.
    for (const testing::RankProcess& rank : testing::RanksOf(run_dir)) {
      if (rank.rank == 1) kill(rank.pid, SIGSTOP);
    }
    train.Signal(SIGINT);
    while (Status(run_dir, dir).value("state", "") == "RUNNING") watch.Wait();
    EXPECT_EQ(Status(run_dir, dir).value("state", ""), "DRAINING");
    train.Signal(SIGINT);
    const Outcome outcome = train.Wait(60);
    EXPECT_EQ(outcome.code, 130) << outcome.err;
    EXPECT_NE(outcome.err.find("pausing without a save"), std::string::npos) << outcome.err;
  }
  for (const testing::RankProcess& left : testing::RanksOf(run_dir)) {
    ADD_FAILURE() << "rank " << left.rank << " still lives";
    kill(left.pid, SIGKILL);
  }
  const nlohmann::json paused = Status(run_dir, dir);
  EXPECT_EQ(paused["state"], "PAUSED");
  EXPECT_EQ(paused["stop_cause"], "pause_now");
  EXPECT_EQ(paused["checkpoint_step"], 0);
}

}  // namespace
}  // namespace galley
