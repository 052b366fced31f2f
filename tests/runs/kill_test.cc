// Every run that is killed ends by itself with the loss series and the shards of the undisturbed run, byte
// for byte: two ranks, bf16, active clipping, prefetch, a batch ramp, evaluations and saves in between.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/base/rng.h"
#include "tests/runs/small_run.h"
#include "tests/support/folder_watch.h"
#include "tests/support/program.h"

namespace galley {
namespace {

using testing::Bin;
using testing::FolderWatch;
using testing::Program;
using testing::RanksOf;
using testing::ReadMetrics;
using testing::Series;
using testing::Shards;

int64_t LastStep(const std::string& run_dir) {
  Series series = ReadMetrics(run_dir);
  return series.steps.empty() ? 0 : series.steps.rbegin()->first;
}

bool SaveInProgress(const std::string& run_dir) {
  auto names = ListDir(JoinPath(run_dir, "checkpoints"));
  if (!names.ok()) return false;
  for (const std::string& name : *names) {
    if (name.rfind(".step-", 0) == 0) return true;
  }
  return false;
}

class KillTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = new TempDir;
    const std::string& dir = home_->path();
    testing::PrepareSmallRun(dir);
    reference_ = JoinPath(dir, "reference");
    auto run = testing::Run(testing::TrainArgs(reference_), dir, 120, testing::TrainEnv(dir));
    ASSERT_EQ(run.code, 0) << run.err;
    ASSERT_EQ(ReadMetrics(reference_).steps.size(), 60u);
    ASSERT_EQ(Shards(reference_, 60).size(), 2u);
  }
  static void TearDownTestSuite() { delete home_; }

  // Runs with one kill: `when` says that the moment has come, `all` kills every rank. Then everything must be
  // as if nothing had happened.
  template <class When>
  void KillOnceAndCompare(const std::string& name, bool all, uint32_t random, When when) {
    std::string run_dir = JoinPath(home_->path(), name);
    ASSERT_TRUE(MakeDirs(JoinPath(run_dir, "checkpoints")).ok());
    Program program(testing::TrainArgs(run_dir), home_->path(), testing::TrainEnv(home_->path()));
    bool killed = false;
    {
      FolderWatch watch(when.folder(run_dir));
      while (!killed && LastStep(run_dir) < 58 && !FileExists(JoinPath(run_dir, "result.json"))) {
        if (!when(run_dir)) {
          watch.Wait();
          continue;
        }
        // Somewhere within the step, not at its edge: the moment is random.
        std::this_thread::sleep_for(std::chrono::microseconds(random % 20000));
        auto ranks = RanksOf(run_dir);
        ASSERT_EQ(ranks.size(), 2u);
        for (const auto& rank : ranks) {
          if (all || rank.rank == static_cast<int>(random >> 16) % 2) ::kill(rank.pid, SIGKILL);
        }
        killed = true;
      }
    }
    auto outcome = program.Wait(120);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_TRUE(killed) << "the moment to kill never came";
    Series expected = ReadMetrics(reference_), actual = ReadMetrics(run_dir);
    EXPECT_EQ(actual.attempts, 2);
    EXPECT_EQ(actual.steps, expected.steps);
    EXPECT_EQ(Shards(run_dir, 60), Shards(reference_, 60));
    EXPECT_TRUE(RanksOf(run_dir).empty());
    ASSERT_TRUE(RemoveTree(run_dir).ok());
  }

  static TempDir* home_;
  static std::string reference_;
};

TempDir* KillTest::home_ = nullptr;
std::string KillTest::reference_;

struct AfterStep {
  int64_t step;
  std::string folder(const std::string& run_dir) const { return run_dir; }
  bool operator()(const std::string& run_dir) const { return LastStep(run_dir) >= step; }
};
struct InSave {
  int64_t after;
  std::string folder(const std::string& run_dir) const { return JoinPath(run_dir, "checkpoints"); }
  bool operator()(const std::string& run_dir) const {
    return LastStep(run_dir) >= after && SaveInProgress(run_dir);
  }
};

TEST_F(KillTest, AtAnyMomentOneRankOrAll) {
  for (uint64_t seed = 1; seed <= 11; ++seed) {
    SCOPED_TRACE(seed);
    auto random = Philox(2026, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(KillOnceAndCompare("any" + std::to_string(seed), random[0] % 2 == 0, random[1],
                                               AfterStep{static_cast<int64_t>(6 + random[2] % 50)}));
  }
}

TEST_F(KillTest, InASave) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    auto random = Philox(2027, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(KillOnceAndCompare("save" + std::to_string(seed), random[0] % 2 == 0,
                                               random[1] % 3000,
                                               InSave{static_cast<int64_t>(random[2] % 40)}));
  }
}

TEST_F(KillTest, InAnEvaluation) {
  // The report of the step before an evaluation step is the last one before it.
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    auto random = Philox(2028, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(
        KillOnceAndCompare("evaluation" + std::to_string(seed), random[0] % 2 == 0, random[1],
                           AfterStep{static_cast<int64_t>(12 * (1 + random[2] % 4) - 1)}));
  }
}

TEST_F(KillTest, AtARampChange) {
  // The batch grows at step 16 (15 steps of 8 samples are 120 of the ramp's 240).
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    auto random = Philox(2029, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(KillOnceAndCompare("ramp" + std::to_string(seed), random[0] % 2 == 0, random[1],
                                               AfterStep{14 + random[2] % 3}));
  }
}

}  // namespace
}  // namespace galley
