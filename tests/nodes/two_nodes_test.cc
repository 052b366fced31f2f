// One run over two trainerds of this machine, through a real controller (in this process) and real ranks: the
// controller passes on what the ranks of different nodes must know of each other, and the run is to the last
// bit the one that one node makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "service/controller/core.h"
#include "service/controller/server.h"
#include "service/run/sqlite.h"
#include "tests/nodes/split_launcher.h"
#include "tests/runs/small_run.h"
#include "tests/support/folder_watch.h"
#include "tests/support/program.h"
#include "tests/support/recipe_counter.h"

namespace galley {
namespace {

using testing::Bin;
using testing::FolderWatch;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::Program;
using testing::RankProcess;
using testing::RanksOf;
using testing::ReadMetrics;
using testing::Series;
using testing::Shards;
using ::testing::UnorderedElementsAre;

class TwoNodes : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = new TempDir;
    testing::PrepareSmallRun(home_->path());
    const Outcome run = testing::Run(testing::TrainArgs(In("reference")), home_->path(), 120,
                                     testing::TrainEnv(home_->path()));
    ASSERT_EQ(run.code, 0) << run.err;
  }
  static void TearDownTestSuite() { delete home_; }

  TwoNodes() {
    StartController();
    for (const char* name : {"a", "b"}) StartTrainerd(name);
  }
  ~TwoNodes() override {
    for (auto& [name, trainerd] : trainerds_) {
      trainerd->Signal(SIGTERM);
      EXPECT_EQ(trainerd->Wait(60).code, 0) << name;
    }
    StopController();
  }

  static std::string In(const std::string& name) { return JoinPath(home_->path(), name); }
  std::string address() const { return "unix:" + JoinPath(state_.path(), "c.sock"); }

  void StartController() {
    launcher::Launchers launchers;
    auto launcher = std::make_unique<testing::SplitLauncher>(2);
    launcher_ = launcher.get();
    launchers[recipe::LauncherKind::kLocal] = std::move(launcher);
    core_ = service::Core::Create(state_.path(), Clock::Real(), std::move(launchers)).value();
    service::ListenOptions options;
    options.address = address();
    server_ = service::Server::Start(*core_, options).value();
  }
  void StopController() {
    server_.reset();
    core_.reset();
  }
  void StartTrainerd(const std::string& name) {
    trainerds_[name] = std::make_unique<Program>(
        std::vector<std::string>{Bin("trainerd"), "--controller", address(), "--name", name, "--state-dir",
                                 JoinPath(state_.path(), name), "--stop-ranks"},
        state_.path());
  }

  void Submit(const std::string& run_dir) {
    ASSERT_TRUE(MakeDirs(JoinPath(run_dir, "checkpoints")).ok());
    std::vector<std::string> env = testing::TrainEnv(home_->path());
    env.push_back("GALLEY_CONTROLLER=" + address());
    const Outcome submitted = testing::Run({Bin("trainctl"), "submit", "recipe.yaml", "--run-dir", run_dir},
                                           home_->path(), 60, env);
    ASSERT_EQ(submitted.code, 0) << submitted.err;
  }
  template <class Condition>
  void Await(const std::string& folder, Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    FolderWatch watch(folder);
    while (!condition() && std::chrono::steady_clock::now() < deadline) watch.Wait();
    ASSERT_TRUE(condition()) << Events(folder);
  }
  void AwaitStep(const std::string& run_dir, int64_t step) {
    Await(run_dir, [&] {
      const Series series = ReadMetrics(run_dir);
      return !series.steps.empty() && series.steps.rbegin()->first >= step;
    });
  }
  void AwaitEnd(const std::string& run_dir) {
    Await(run_dir, [&] { return FileExists(JoinPath(run_dir, "result.json")); });
    EXPECT_THAT(ReadFile(JoinPath(run_dir, "result.json")).value(), HasSubstr("SUCCEEDED"))
        << Events(run_dir);
  }
  static std::string Events(const std::string& run_dir) {
    return ReadFile(JoinPath(run_dir, "events.jsonl")).value_or("");
  }
  // The run is the undisturbed one of one node.
  static void ExpectLikeReference(const std::string& run_dir, int64_t attempts) {
    const Series expected = ReadMetrics(In("reference")), actual = ReadMetrics(run_dir);
    EXPECT_EQ(actual.attempts, attempts) << Events(run_dir);
    EXPECT_EQ(actual.steps, expected.steps);
    EXPECT_EQ(Shards(run_dir, testing::kSmallSteps), Shards(In("reference"), testing::kSmallSteps));
    EXPECT_EQ(Shards(run_dir, testing::kSmallSteps).size(), 2u);
    EXPECT_TRUE(RanksOf(run_dir).empty());
  }

  static TempDir* home_;
  const TempDir state_;
  const testing::RecipeCounter counter_;        // the controller is two_nodes_test
  testing::SplitLauncher* launcher_ = nullptr;  // the core's
  std::unique_ptr<service::Core> core_;
  std::unique_ptr<service::Server> server_;
  std::map<std::string, std::unique_ptr<Program>> trainerds_;
};

TempDir* TwoNodes::home_ = nullptr;

TEST_F(TwoNodes, TrainOneRunAsOneNodeDoes) {
  ASSERT_NO_FATAL_FAILURE(Submit(In("run")));
  ASSERT_NO_FATAL_FAILURE(AwaitEnd(In("run")));
  ExpectLikeReference(In("run"), 1);
  EXPECT_THAT(Events(In("run")), HasSubstr("attempt 1 on a, b from the beginning"));
  core_->Nodes();  // takes the lock under which the run ended, and its nodes were given back
  EXPECT_GE(launcher_->released(), 1);
  EXPECT_THAT(counter_.Programs(),
              UnorderedElementsAre("trainctl", "two_nodes_test", "galley-rank", "galley-rank"));
}

TEST_F(TwoNodes, AControllerStartedAnewBeforeTheRanksPlansOnceMore) {
  trainerds_.clear();  // kills them: nothing takes the run until the controller is another one
  ASSERT_NO_FATAL_FAILURE(Submit(In("waited")));
  StopController();
  StartController();
  for (const char* name : {"a", "b"}) StartTrainerd(name);
  ASSERT_NO_FATAL_FAILURE(AwaitEnd(In("waited")));
  EXPECT_THAT(counter_.Programs(), UnorderedElementsAre("trainctl", "two_nodes_test", "two_nodes_test",
                                                        "galley-rank", "galley-rank"));
}

TEST_F(TwoNodes, RecoverFromTheDeathOfARankOnEither) {
  for (int rank = 0; rank < 2; ++rank) {
    SCOPED_TRACE(rank);
    const std::string run_dir = In(absl::StrCat("killed-", rank));
    ASSERT_NO_FATAL_FAILURE(Submit(run_dir));
    ASSERT_NO_FATAL_FAILURE(AwaitStep(run_dir, 23));
    for (const RankProcess& process : RanksOf(run_dir)) {
      if (process.rank == rank) ::kill(process.pid, SIGKILL);
    }
    ASSERT_NO_FATAL_FAILURE(AwaitEnd(run_dir));
    ExpectLikeReference(run_dir, 2);
  }
}

TEST_F(TwoNodes, GoOnWhileControllerAndTrainerdsAreStartedAnew) {
  ASSERT_NO_FATAL_FAILURE(Submit(In("anew")));
  ASSERT_NO_FATAL_FAILURE(AwaitStep(In("anew"), 12));
  StopController();
  ASSERT_NO_FATAL_FAILURE(AwaitStep(In("anew"), 14));  // the ranks do not notice
  // What is derived from the recipe is derived again where it is not kept.
  ASSERT_TRUE(
      (*service::Database::Open(JoinPath(state_.path(), "galley.db")))->Run("DELETE FROM plans").ok());
  StartController();
  for (const char* name : {"a", "b"}) {
    trainerds_[name]->Signal(SIGKILL);
    trainerds_[name]->Wait(60);
    StartTrainerd(name);
  }
  ASSERT_NO_FATAL_FAILURE(AwaitEnd(In("anew")));
  ExpectLikeReference(In("anew"), 1);
  EXPECT_THAT(counter_.Programs(), UnorderedElementsAre("trainctl", "two_nodes_test", "two_nodes_test",
                                                        "galley-rank", "galley-rank"));
}

}  // namespace
}  // namespace galley
