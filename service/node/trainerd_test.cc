// The trainerd program: what is left when it, its ranks or its parent are killed.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "runtime/base/subprocess.h"
#include "service/node/node_test_env.h"

namespace galley::service {
namespace {

using ::testing::HasSubstr;

class TrainerdTest : public NodeEnv {
 protected:
  ~TrainerdTest() override {
    for (pid_t pid : RankPids()) ::kill(pid, SIGKILL);
    if (trainerd_.pidfd() >= 0) Kill();
  }

  std::vector<std::string> Command(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> argv = {JoinPath(BinDir(), "trainerd"),
                                     "--controller",
                                     address(),
                                     "--state-dir",
                                     state_dir_,
                                     "--name",
                                     "n1",
                                     "--rank-binary",
                                     FakeRank()};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
  Process Launch(const std::vector<std::string>& argv) {
    SpawnOptions options;
    options.argv = argv;
    options.log_path = TrainerdLog();
    auto held = HeldProcess::Spawn(options);
    EXPECT_TRUE(held.ok()) << held.status();
    return std::move(*held).Release();
  }
  void Start(const std::vector<std::string>& more = {}) { trainerd_ = Launch(Command(more)); }
  std::string TrainerdLog() const { return JoinPath(dir_.path(), "trainerd.log"); }

  static bool Ended(const Process& process, int seconds = 30) {
    pollfd fd{process.pidfd(), POLLIN, 0};
    return ::poll(&fd, 1, seconds * 1000) == 1;
  }
  // kill -9, and gone.
  void Kill() {
    trainerd_.Signal(SIGKILL);
    EXPECT_TRUE(Ended(trainerd_));
    trainerd_.Reap();
    trainerd_ = Process();
  }

  // Living processes whose command line names this test's run directory; a rank's shows its run and its
  // number as well.
  std::vector<pid_t> RankPids() const {
    std::vector<pid_t> out;
    auto names = ListDir("/proc");
    for (const std::string& name : *names) {
      pid_t pid = 0;
      if (!absl::SimpleAtoi(name, &pid)) continue;
      auto line = ReadFile(absl::StrCat("/proc/", name, "/cmdline"));
      const std::string wanted = absl::StrCat("--run", std::string(1, '\0'), "fake", std::string(1, '\0'),
                                              "--run-dir", std::string(1, '\0'), run_dir_);
      if (line.ok() && absl::StrContains(*line, wanted) && ProcessStartTime(pid).ok()) out.push_back(pid);
    }
    return out;
  }
  // Waits until every process of these has ended; they are not our children.
  static bool AllEnd(const std::vector<pid_t>& pids) {
    for (pid_t pid : pids) {
      auto start = ProcessStartTime(pid);
      if (!start.ok()) continue;
      auto process = Process::Adopt({pid, *start, BootId()});
      if (process.ok() && !Ended(*process)) return false;
    }
    return true;
  }

  Process trainerd_;
};

TEST_F(TrainerdTest, ARestartedTrainerdAdoptsItsRanksAndNothingIsLost) {
  Script(R"({"steps": 40, "step_ms": 5, "save_every": 20, "actions": [{"step": 30, "do": "wait"}]})");
  Start();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  const std::vector<pid_t> before = RankPids();
  ASSERT_EQ(before.size(), 2u);
  Kill();  // somewhere among the first steps: the ranks go on
  StartController();
  Start();
  const v1::NodeReport running = controller_->Wait(IsRunning);
  ASSERT_EQ(running.running().attempts_size(), 1);
  EXPECT_EQ(running.running().attempts(0).attempt(), 1);
  controller_->Send(Ensure());  // as a controller does; they live already
  ASSERT_TRUE(controller_->Wait(CheckpointAt(20)).has_rank());
  EXPECT_EQ(RankPids(), before);
  Go();
  for (int rank : {0, 1}) {
    const v1::RankExited exited = controller_->Wait(Exited(rank)).exited();
    EXPECT_EQ(exited.code(), -1);  // another process was its parent
    EXPECT_EQ(exited.finished().outcome(), v1::Finished::COMPLETED);
    EXPECT_EQ(exited.step(), 40);
  }
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 40));
  EXPECT_EQ(Log(1, 0), "run fake attempt 1 rank 0 of 2\n");
}

TEST_F(TrainerdTest, RanksInAStateOfAnOlderVersionAreAdopted) {
  Script(R"({"steps": 4, "save_every": 4, "actions": [{"step": 2, "do": "wait"}]})");
  Start();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  Kill();
  const std::string folder = JoinPath(state_dir_, "attempts");
  const std::string path = JoinPath(folder, ListDir(folder).value().front());
  v1::AttemptState state;
  ASSERT_TRUE(state.ParseFromString(ReadFile(path).value()));
  ToOlderVersion(*state.mutable_ensure());
  ASSERT_TRUE(AtomicWrite(path, state.SerializeAsString()).ok());
  StartController();
  Start();
  EXPECT_EQ(controller_->Wait(IsRunning).running().attempts_size(), 1);
  Go();
  ASSERT_TRUE(controller_->Wait(CheckpointAt(4)).has_rank());
  ASSERT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 4)) << "its exporters are known too";
}

TEST_F(TrainerdTest, ItMayBeKilledAgainAndAgain) {
  Script(R"({"steps": 300, "step_ms": 2, "save_every": 50})");
  Start();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  for (int64_t step : {50, 100, 150, 200, 250}) {
    ASSERT_TRUE(controller_->Wait(CheckpointAt(step)).has_rank()) << step;
    Kill();
    Start();
  }
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 300));
}

TEST_F(TrainerdTest, RanksThatEndedWhileNobodyWatchedAreReported) {
  Script(R"({"steps": 100000, "actions": [{"step": 10, "do": "wait"}]})");
  Start();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  const std::vector<pid_t> pids = RankPids();
  ASSERT_EQ(pids.size(), 2u);
  Kill();
  ::kill(pids[1], SIGKILL);
  ASSERT_TRUE(AllEnd({pids[1]}));
  StartController();
  Start();
  EXPECT_EQ(controller_->Wait(Exited(1)).exited().code(), -1);
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().finished().outcome(), v1::Finished::PEER_LOST);
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_TRUE(RankPids().empty());
}

TEST_F(TrainerdTest, APausedTrainerdTakesNobodyForHung) {
  hang_seconds_ = 1;
  Script(R"({"steps": 100000, "step_ms": 5, "actions": [{"step": 100, "do": "notice"}]})");
  Start();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  trainerd_.Signal(SIGSTOP);
  // Far longer than the limit of a hang, with the time told by the steps in no file: by the clock alone.
  const absl::Time until = absl::Now() + absl::Seconds(12);
  controller_->Wait([&](const v1::NodeReport&) { return absl::Now() > until; }, 13);
  trainerd_.Signal(SIGCONT);
  ASSERT_TRUE(controller_->Wait(NoticeOf(v1::NoticeKind::REPORTS_DROPPED)).has_rank());
  v1::Order stop;
  stop.mutable_stop()->set_reason("enough");
  controller_->Send(ToRanks(stop));
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().finished().outcome(), v1::Finished::STOPPED);
  for (const auto& report : controller_->reports()) EXPECT_FALSE(report.has_hung());
}

TEST_F(TrainerdTest, SigtermLeavesRanksToTheNextOne) {
  Script(R"({"steps": 20, "actions": [{"step": 10, "do": "wait"}]})");
  Start();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  trainerd_.Signal(SIGTERM);
  ASSERT_TRUE(Ended(trainerd_));
  EXPECT_EQ(trainerd_.Reap().code, 0);
  EXPECT_EQ(RankPids().size(), 2u);
  StartController();
  Start();
  ASSERT_EQ(controller_->Wait(IsRunning).running().attempts_size(), 1);
  Go();
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 20));
}

TEST_F(TrainerdTest, WithStopRanksSigtermLetsThemSaveAndLeave) {
  Script(R"({"steps": 100000, "step_ms": 5})");
  Start({"--stop-ranks"});
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  trainerd_.Signal(SIGTERM);
  ASSERT_TRUE(Ended(trainerd_));
  EXPECT_TRUE(RankPids().empty());
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().finished().outcome(), v1::Finished::STOPPED);
  EXPECT_FALSE(ListDir(JoinPath(run_dir_, "checkpoints"))->empty());
}

TEST_F(TrainerdTest, AShutdownOrderEndsRanksAndTrainerd) {
  Script(R"({"steps": 100000, "step_ms": 5})");
  Start({"--private"});
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  v1::NodeOrder order;
  order.mutable_shutdown();
  controller_->Send(order);
  ASSERT_TRUE(Ended(trainerd_));
  EXPECT_EQ(trainerd_.Reap().code, 0);
  EXPECT_TRUE(RankPids().empty());
}

TEST_F(TrainerdTest, APrivateTrainerdEndsWithItsParentAndLeavesNoRank) {
  Script(R"({"steps": 100000, "step_ms": 5})");
  // The parent is a shell that does nothing but wait.
  std::string command;
  for (const std::string& word : Command({"--private"})) absl::StrAppend(&command, "'", word, "' ");
  Process parent = Launch({"/bin/sh", "-c", absl::StrCat(command, "& echo trainerd is $!; wait")});
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  const std::vector<pid_t> ranks = RankPids();
  ASSERT_EQ(ranks.size(), 2u);
  const std::string log = *ReadFile(TrainerdLog());
  const size_t at = log.find("trainerd is ");
  pid_t daemon = 0;
  ASSERT_TRUE(absl::SimpleAtoi(log.substr(at + 12, log.find('\n', at) - at - 12), &daemon));
  parent.Signal(SIGKILL);
  EXPECT_TRUE(AllEnd({daemon}));
  EXPECT_TRUE(RankPids().empty());
  EXPECT_FALSE(ListDir(JoinPath(run_dir_, "checkpoints"))->empty()) << "they saved before they left";
}

TEST_F(TrainerdTest, FaultsOfTheCommandLineAreTold) {
  Start({"--controller", "192.0.2.1:7000"});
  ASSERT_TRUE(Ended(trainerd_));
  EXPECT_NE(trainerd_.Reap().code, 0);
  Process second = Launch({JoinPath(BinDir(), "trainerd"), "--controller", "192.0.2.1:7000", "--state-dir",
                           JoinPath(dir_.path(), "other")});
  ASSERT_TRUE(Ended(second));
  EXPECT_EQ(second.Reap().code, 1);
  EXPECT_THAT(*ReadFile(TrainerdLog()), HasSubstr("give --tls-ca and --token-file"));
}

}  // namespace
}  // namespace galley::service
