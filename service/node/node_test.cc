// trainerd's node in this process, with real ranks (fake-rank) and a controller in this process too.
#include "service/node/node.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/metrics/report.h"
#include "service/node/node_test_env.h"

namespace galley::service {
namespace {

using ::testing::HasSubstr;

class NodeTest : public NodeEnv {
 protected:
  void StartNode(const std::string& rank_binary = FakeRank()) {
    NodeOptions options;
    options.controller.address = address();
    options.state_dir = state_dir_;
    options.name = "n1";
    options.rank_binary = rank_binary;
    auto node = Node::Create(loop_, options);
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
    thread_ = std::thread([this] { loop_.Run(); });
  }
  ~NodeTest() override {
    if (!thread_.joinable()) return;
    loop_.Post(
        [this] { node_->StopAll("the test is over", absl::ZeroDuration(), [this] { loop_.Stop(); }); });
    thread_.join();
    node_.reset();
  }

  EventLoop loop_;
  std::unique_ptr<Node> node_;
  std::thread thread_;
};

TEST_F(NodeTest, AnAttemptRunsToItsEnd) {
  Script(R"({"steps": 10, "save_every": 5, "evaluate_every": 5})");
  StartNode();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 10));
  EXPECT_THAT(Log(1, 0), HasSubstr("run fake attempt 1 rank 0 of 2"));
  EXPECT_THAT(Log(1, 1), HasSubstr("run fake attempt 1 rank 1 of 2"));
  EXPECT_TRUE(FileExists(JoinPath(run_dir_, "checkpoints/step-10/manifest.json")));

  int training = 0, checkpoints = 0, finished = 0, exits = 0, evaluations = 0;
  uint64_t next = 1;
  const auto reports = controller_->reports();
  ASSERT_TRUE(reports[0].has_hello());
  EXPECT_EQ(reports[0].hello().name(), "n1");
  EXPECT_EQ(reports[0].hello().wire_version(), v1::Wire::CURRENT);
  EXPECT_GE(reports[0].hello().cores(), 1);
  EXPECT_GT(reports[0].hello().memory_bytes(), 0);
  ASSERT_TRUE(reports[1].has_running());
  EXPECT_EQ(reports[1].running().attempts_size(), 0);
  for (const auto& report : reports) {
    if (report.sequence() > 0) {
      EXPECT_EQ(report.sequence(), next++);
    }
    if (report.has_exited()) {
      ++exits;
      EXPECT_EQ(report.exited().code(), 0);
      EXPECT_EQ(report.exited().signal(), 0);
      EXPECT_EQ(report.exited().step(), 10);
      EXPECT_EQ(report.exited().finished().outcome(), v1::Finished::COMPLETED);
    }
    if (!report.has_rank()) continue;
    const v1::Report& said = report.rank().report();
    EXPECT_FALSE(said.has_ready() || said.has_shard() || said.has_heartbeat()) << "stays on the node";
    training += said.has_training();
    checkpoints += said.has_checkpoint();
    finished += said.has_finished();
    evaluations += said.has_step() && metrics::FromReport(said.step()).Get<"validation_loss">().has_value();
  }
  EXPECT_EQ(training, 2);
  EXPECT_EQ(checkpoints, 2);
  EXPECT_EQ(finished, 2);
  EXPECT_EQ(exits, 2);
  EXPECT_EQ(evaluations, 2);
}

TEST_F(NodeTest, StepsGoUpSampledAndTheLastOneAlways) {
  Script(R"({"steps": 400, "step_ms": 1})");
  StartNode();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps().size(), 400u);
  int samples = 0;
  int64_t last = 0;
  for (const auto& report : controller_->reports()) {
    if (!report.has_rank() || !report.rank().report().has_step()) continue;
    ++samples;
    EXPECT_EQ(report.sequence(), 0u);
    const int64_t step = metrics::FromReport(report.rank().report().step()).step();
    EXPECT_GT(step, last);
    last = step;
  }
  EXPECT_EQ(last, 400);
  EXPECT_LT(samples, 100);
}

TEST_F(NodeTest, AnOrderOfAnOlderControllerIsCarriedOut) {
  Script(R"({"steps": 3})");
  StartNode();
  v1::NodeOrder order = Ensure();
  ToOlderVersion(*order.mutable_ensure());
  controller_->Send(order);
  ASSERT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().code(), 0);
  EXPECT_EQ(controller_->Wait(Exited(1)).exited().code(), 0);
  EXPECT_EQ(Steps(), Range(1, 1, 3));
}

TEST_F(NodeTest, ADyingRankEndsTheOthersWithinASecond) {
  Script(R"({"steps": 100000, "step_ms": 5, "actions": [{"rank": 1, "step": 3, "do": "exit:3"}]})");
  StartNode();
  controller_->Send(Ensure());
  const v1::RankExited dead = controller_->Wait(Exited(1)).exited();
  const absl::Time at = absl::Now();
  EXPECT_EQ(dead.code(), 3);
  EXPECT_LE(dead.step(), 2);
  EXPECT_FALSE(dead.has_finished());
  EXPECT_THAT(dead.log_tail(), HasSubstr("rank 1 exits as told"));
  const v1::RankExited other = controller_->Wait(Exited(0)).exited();
  EXPECT_LT(absl::Now() - at, absl::Seconds(1));
  EXPECT_EQ(other.finished().outcome(), v1::Finished::PEER_LOST);
  EXPECT_THAT(other.finished().message(), HasSubstr("rank 1 has ended"));
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
}

TEST_F(NodeTest, ARankThatIgnoresAbortIsKilled) {
  Script(
      R"({"steps": 100000, "actions": [{"rank": 0, "step": 2, "do": "deaf"}, {"rank": 1, "step": 20, "do": "kill"}]})");
  StartNode();
  controller_->Send(Ensure());
  EXPECT_EQ(controller_->Wait(Exited(1)).exited().signal(), SIGKILL);
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().signal(), SIGKILL);
}

TEST_F(NodeTest, AnExitWithoutAWordIsNoSuccess) {
  Script(R"({"steps": 100000, "actions": [{"rank": 0, "step": 2, "do": "exit:0"}]})");
  StartNode();
  controller_->Send(Ensure());
  const v1::RankExited quiet = controller_->Wait(Exited(0)).exited();
  EXPECT_EQ(quiet.code(), 0);
  EXPECT_FALSE(quiet.has_finished());
  EXPECT_EQ(controller_->Wait(Exited(1)).exited().finished().outcome(), v1::Finished::PEER_LOST);
}

TEST_F(NodeTest, AStoppedRankIsFoundAndAllEnd) {
  hang_seconds_ = 1;
  Script(
      R"({"steps": 100000, "step_ms": 60, "actions": [{"rank": 1, "step": 5, "do": "stop"}, {"rank": 0, "step": 6, "do": "hang"}]})");
  StartNode();
  controller_->Send(Ensure());
  const v1::RankHung hung = controller_->Wait(IsHung).hung();
  EXPECT_EQ(hung.rank(), 1);
  EXPECT_GE(hung.step(), 3);  // the fourth may not have been told yet
  EXPECT_EQ(hung.phase(), v1::Phase::TRAIN);
  EXPECT_GE(hung.seconds(), 1);
  EXPECT_EQ(controller_->Wait(Exited(1)).exited().signal(), SIGKILL);
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().finished().outcome(), v1::Finished::PEER_LOST);
}

TEST_F(NodeTest, EnsureIsIdempotentAlsoAfterTheEnd) {
  Script(R"({"steps": 3, "actions": [{"step": 2, "do": "wait"}]})");
  StartNode();
  controller_->Send(Ensure());
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(0)).has_rank());
  controller_->Send(Ensure());
  Go();
  ASSERT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  const uint64_t end = controller_->Wait(AttemptOver()).sequence();
  controller_->Send(Ensure());
  EXPECT_TRUE(
      controller_
          ->Wait([&](const v1::NodeReport& r) { return r.has_attempt_stopped() && r.sequence() > end; })
          .has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 3));
  EXPECT_EQ(Log(1, 0), "run fake attempt 1 rank 0 of 2\n");
}

TEST_F(NodeTest, AHigherAttemptKillsTheLowerFirstAndALowerIsRefused) {
  Script(R"({"steps": 3, "actions": [{"attempt": 1, "step": 2, "do": "wait"}]})");
  StartNode();
  controller_->Send(Ensure(1));
  ASSERT_TRUE(controller_->Wait(TrainingOf(0, 1)).has_rank());
  controller_->Send(Ensure(2));
  ASSERT_TRUE(controller_->Wait(AttemptOver(2)).has_attempt_stopped());
  controller_->Send(Ensure(1));
  bool old_alive = true;
  for (const auto& report : controller_->reports()) {
    if (AttemptOver(1)(report)) old_alive = false;
    if (TrainingOf(0, 2)(report)) {
      EXPECT_FALSE(old_alive);
    }
    if (Exited(0, 1)(report)) {
      EXPECT_EQ(report.exited().signal(), SIGKILL);
    }
  }
  EXPECT_EQ(Log(1, 0), "run fake attempt 1 rank 0 of 2\n");
  EXPECT_THAT(Steps(), ::testing::IsSupersetOf(Range(2, 1, 3)));
}

TEST_F(NodeTest, EnsureStoppedEndsAllRanksAndIsAnswered) {
  Script(R"({"steps": 100000, "step_ms": 5})");
  StartNode();
  controller_->Send(Stopped(0));  // nothing lives: answered all the same
  EXPECT_TRUE(controller_->Wait(AttemptOver(0)).has_attempt_stopped());
  controller_->Send(Ensure(1));
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  controller_->Send(Stopped(1));
  EXPECT_TRUE(controller_->Wait(AttemptOver(1)).has_attempt_stopped());
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().finished().message(), "a test");
}

TEST_F(NodeTest, OrdersReachTheRanks) {
  Script(R"({"steps": 100000, "step_ms": 2})");
  StartNode();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(0)).has_rank());
  v1::Order save;
  save.mutable_save()->set_request_id("s1");
  controller_->Send(ToRanks(save));
  EXPECT_TRUE(controller_
                  ->Wait([](const v1::NodeReport& r) {
                    return r.has_rank() && r.rank().report().checkpoint().request_id() == "s1";
                  })
                  .has_rank());
  v1::Order stop;
  stop.mutable_stop()->set_save(true);
  stop.mutable_stop()->set_reason("pause");
  controller_->Send(ToRanks(stop));
  for (int rank : {0, 1}) {
    const v1::RankExited exited = controller_->Wait(Exited(rank)).exited();
    EXPECT_EQ(exited.code(), 0);
    EXPECT_EQ(exited.finished().outcome(), v1::Finished::STOPPED);
    EXPECT_EQ(exited.finished().message(), "pause");
  }
  // An order for what does not live is answered by the truth.
  controller_->Send(ToRanks(stop, 9));
  EXPECT_TRUE(controller_->Wait(AttemptOver(9)).has_attempt_stopped());
}

TEST_F(NodeTest, ARunSurvivesItsControllerAndNothingIsLost) {
  StartController(/*acknowledge=*/false);
  Script(R"({"steps": 20, "save_every": 10, "actions": [{"step": 5, "do": "wait"}]})");
  StartNode();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  controller_.reset();
  Go();
  // The ranks finish without any controller.
  ASSERT_TRUE(AwaitFile(JoinPath(run_dir_, "checkpoints/step-20/manifest.json")));
  StartController();
  ASSERT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  int checkpoints = 0, exits = 0, training = 0;
  bool after_running = false;
  for (const auto& report : controller_->reports()) {
    after_running = after_running || report.has_running();
    if (report.has_hello()) {
      EXPECT_FALSE(after_running);
    }
    exits += report.has_exited();
    if (!report.has_rank()) continue;
    checkpoints += report.rank().report().has_checkpoint();
    training += report.rank().report().has_training();
  }
  EXPECT_EQ(checkpoints, 2);
  EXPECT_EQ(exits, 2);
  EXPECT_EQ(training, 2);  // was never acknowledged, so it comes again
  EXPECT_EQ(Steps(), Range(1, 1, 20));
}

TEST_F(NodeTest, ARunGoesOnWhileTheNodeIsRefused) {
  Script(R"({"steps": 20, "save_every": 10, "actions": [{"step": 5, "do": "wait"}]})");
  StartNode();
  controller_->Send(Ensure());
  ASSERT_TRUE(controller_->Wait(TrainingOf(1)).has_rank());
  controller_.reset();
  controller_ = std::make_unique<FakeController>(
      address(), true, grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "another wire version"));
  ASSERT_TRUE(controller_->WaitRefused(3));  // it tries again
  Go();
  ASSERT_TRUE(AwaitFile(JoinPath(run_dir_, "checkpoints/step-20/manifest.json")));
  StartController();
  EXPECT_TRUE(controller_->Wait(CheckpointAt(20)).has_rank());
  EXPECT_EQ(controller_->Wait(Exited(0)).exited().code(), 0);
  ASSERT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 20));
}

TEST_F(NodeTest, ARankThatCannotBeStartedIsToldSo) {
  StartNode("/no/such/galley-rank");
  controller_->Send(Ensure());
  const v1::RankExited exited = controller_->Wait(Exited(0)).exited();
  EXPECT_EQ(exited.code(), 127);
  EXPECT_THAT(exited.log_tail(), HasSubstr("cannot execute /no/such/galley-rank"));
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
}

TEST_F(NodeTest, AFolderThatCannotBeWrittenIsToldSo) {
  StartNode();
  v1::NodeOrder order = Ensure();
  order.mutable_ensure()->set_run_dir("/proc/no");
  order.mutable_ensure()->clear_exporters();
  controller_->Send(order);
  const v1::RankExited exited = controller_->Wait(Exited(0)).exited();
  EXPECT_THAT(exited.finished().message(), HasSubstr("/proc/no"));
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
}

TEST_F(NodeTest, TheMetricsAddressIsTold) {
  exporters_ = {ExporterOf(v1::ExporterKind::JSONL), ExporterOf(v1::ExporterKind::PROMETHEUS, "127.0.0.1:0"),
                ExporterOf(static_cast<v1::ExporterKind::Value>(80))};  // of a newer controller
  Script(R"({"steps": 3})");
  StartNode();
  controller_->Send(Ensure());
  const v1::NodeReport report = controller_->Wait([](const v1::NodeReport& r) { return r.has_metrics(); });
  EXPECT_THAT(report.metrics().address(), ::testing::StartsWith("127.0.0.1:"));
  EXPECT_EQ(report.metrics().run_id(), "run-1");
  // An exporter that cannot be had is told and does not stop the run.
  EXPECT_THAT(controller_->Wait(NoticeOf(v1::NoticeKind::METRICS)).rank().report().notice().message(),
              HasSubstr("exporter kind 80 is not known"));
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  EXPECT_EQ(Steps(), Range(1, 1, 3));
}

// Rank 1 of two, the other one on another node: the controller stands between them.
TEST_F(NodeTest, ANodeWithoutRankZeroTellsReadyAndShardAfterEachAttach) {
  Script(R"({"steps": 12, "actions": [{"step": 11, "do": "wait"}], "save_every": 5})");
  StartNode();
  v1::NodeOrder order = Ensure();
  order.mutable_ensure()->mutable_ranks()->erase(order.ensure().ranks().begin());
  controller_->Send(order);
  const auto ready = [](const v1::NodeReport& r) {
    return r.has_rank() && r.rank().report().has_ready() && r.rank().rank() == 1;
  };
  const auto shard_of = [](int64_t step) {
    return [step](const v1::NodeReport& r) {
      return r.has_rank() && r.rank().report().has_shard() && r.rank().report().shard().step() == step;
    };
  };
  EXPECT_EQ(controller_->Wait(ready).rank().report().ready().address(), "address of 1");
  StartController();  // it has forgotten
  EXPECT_EQ(controller_->Wait(ready).rank().report().ready().address(), "address of 1");
  v1::Order peers;
  for (const char* address : {"address of 0", "address of 1"}) peers.mutable_peers()->add_addresses(address);
  controller_->Send(ToRanks(peers));
  EXPECT_EQ(controller_->Wait(shard_of(5)).rank().report().shard().rank(), 1);
  EXPECT_EQ(controller_->Wait(shard_of(10)).rank().report().shard().rank(), 1);
  StartController();  // neither is committed
  EXPECT_EQ(controller_->Wait(shard_of(5)).rank().report().shard().rank(), 1);
  EXPECT_EQ(controller_->Wait(shard_of(10)).rank().report().shard().rank(), 1);
  v1::NodeOrder committed, later;
  committed.mutable_committed()->set_run_id("run-1");
  committed.mutable_committed()->set_attempt(1);
  committed.mutable_committed()->set_step(5);
  controller_->Send(committed);
  later.mutable_stopped()->set_run_id("another");
  controller_->Send(later);
  controller_->Wait([](const v1::NodeReport& r) { return r.attempt_stopped().run_id() == "another"; });
  StartController();
  EXPECT_TRUE(controller_->Wait(shard_of(10)).has_rank());
  EXPECT_TRUE(std::ranges::none_of(controller_->reports(), shard_of(5)));
  Go();
  EXPECT_EQ(controller_->Wait(Exited(1)).exited().code(), 0);
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
}

TEST_F(NodeTest, RankZeroCommitsWithAShardOfAnotherNode) {
  Script(R"({"steps": 5})");
  StartNode();
  v1::NodeOrder order = Ensure();
  order.mutable_ensure()->mutable_ranks()->RemoveLast();
  controller_->Send(order);
  controller_->Wait([](const v1::NodeReport& r) { return r.has_rank() && r.rank().report().has_ready(); });
  v1::Order peers;
  for (const char* address : {"address of 0", "address of 1"}) peers.mutable_peers()->add_addresses(address);
  controller_->Send(ToRanks(peers));
  controller_->Send(ToRanks(peers));  // a repeat is nothing new
  controller_->Wait(TrainingOf(0));
  v1::Order shard;
  shard.mutable_shard()->set_step(5);
  shard.mutable_shard()->set_rank(1);
  controller_->Send(ToRanks(shard, 1, 0));
  EXPECT_TRUE(controller_->Wait(CheckpointAt(5)).has_rank());
  EXPECT_TRUE(controller_->Wait(AttemptOver()).has_attempt_stopped());
  for (const v1::NodeReport& report : controller_->reports()) {
    EXPECT_FALSE(report.has_rank() && report.rank().report().has_shard());
  }
}

TEST_F(NodeTest, ASecondTrainerdOfAStateFolderIsRefused) {
  StartNode();
  EventLoop other;
  NodeOptions options;
  options.controller.address = address();
  options.state_dir = state_dir_;
  EXPECT_EQ(Node::Create(other, options).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(NodeTest, AControllerOfAnotherMachineNeedsTls) {
  EventLoop loop;
  NodeOptions options;
  options.controller.address = "10.0.0.1:7070";
  options.state_dir = JoinPath(dir_.path(), "other");
  EXPECT_THAT(std::string(Node::Create(loop, options).status().message()),
              HasSubstr("give --tls-ca and --token-file"));
  options.controller.tls_ca = "/no/such/ca.pem";  // one of the two is not enough
  EXPECT_THAT(std::string(Node::Create(loop, options).status().message()),
              HasSubstr("give --tls-ca and --token-file"));
}

}  // namespace
}  // namespace galley::service
