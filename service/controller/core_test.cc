// The controller without wires: nodes are objects of the test that say what a trainerd would.
#include "service/controller/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/prepare/prepare.h"

namespace galley::service {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRecipe[] = R"(apiVersion: galley/v1
kind: Recipe
metadata: {name: two}
model: {family: llama, layers: 1, hidden: 32, heads: 2, ffn: 64, context: 32, vocab: 256}
data: {kind: dummy, tokenizer: {kind: bytes}}
batch: {micro: 1, global: 2}
train: {until: 10 steps}
optimizer: {kind: adamw}
schedule: {lr: {peak: 1e-3, decay: constant}}
parallelism: {data: 2}
launcher: {kind: local}
)";

// One rank on each of two nodes.
class Pair : public launcher::Launcher {
 public:
  absl::Status Acquire(const launcher::Request&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<launcher::Share>> Poll(const launcher::Request&,
                                                    const std::vector<launcher::Node>& nodes) override {
    if (nodes.size() < 2) return absl::UnavailableError("two nodes");
    return std::vector<launcher::Share>{{nodes[0].name, {0}}, {nodes[1].name, {1}}};
  }
  void Release(const std::string&, int64_t) override {}
};

class FakeNode : public NodeLink {
 public:
  explicit FakeNode(std::string name) : name_(std::move(name)) {}
  void Send(const v1::NodeOrder& order) override {
    const std::lock_guard lock(mutex_);
    orders_.push_back(order);
    changed_.notify_all();
  }
  // The first order since the last attachment that fits, waited for; an empty one when none comes.
  template <class Match>
  v1::NodeOrder Wait(Match match) {
    std::unique_lock lock(mutex_);
    v1::NodeOrder found;
    changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      for (const v1::NodeOrder& order : orders_) {
        if (match(order)) {
          found = order;
          return true;
        }
      }
      return false;
    });
    return found;
  }
  v1::EnsureAttempt WaitEnsure() {
    return Wait([](const v1::NodeOrder& o) { return o.has_ensure(); }).ensure();
  }
  v1::RankOrder WaitToRanks(v1::Order::OrderCase kind) {
    return Wait([&](const v1::NodeOrder& o) { return o.rank_order().order().order_case() == kind; })
        .rank_order();
  }
  v1::RankOrder WaitShard(int64_t step) {
    return Wait([&](const v1::NodeOrder& o) { return o.rank_order().order().shard().step() == step; })
        .rank_order();
  }
  auto WaitStopped() {
    return Wait([](const v1::NodeOrder& o) { return o.has_stopped(); }).stopped();
  }
  v1::Committed WaitCommitted() {
    return Wait([](const v1::NodeOrder& o) { return o.has_committed(); }).committed();
  }

  void Attach(Core& core, const std::string& run_id = "", int64_t attempt = 0) {
    {
      const std::lock_guard lock(mutex_);
      orders_.clear();
    }
    v1::NodeReport hello;
    hello.mutable_hello()->set_name(name_);
    hello.mutable_hello()->set_cores(2);
    hello.mutable_hello()->set_memory_bytes(int64_t{8} << 30);
    hello.mutable_hello()->set_isa(isa_);
    hello.mutable_hello()->set_wire_version(v1::Wire::CURRENT);
    ASSERT_TRUE(core.OnReport(this, hello).ok());
    v1::NodeReport running;
    running.mutable_running();
    if (attempt > 0) {
      v1::AttemptStopped& living = *running.mutable_running()->add_attempts();
      living.set_run_id(run_id);
      living.set_attempt(attempt);
    }
    ASSERT_TRUE(core.OnReport(this, running).ok());
  }
  void set_isa(const std::string& isa) { isa_ = isa; }
  void Say(Core& core, const std::string& run_id, int32_t rank, const v1::Report& report,
           int64_t attempt = 1) {
    v1::NodeReport up;
    up.mutable_rank()->set_run_id(run_id);
    up.mutable_rank()->set_attempt(attempt);
    up.mutable_rank()->set_rank(rank);
    *up.mutable_rank()->mutable_report() = report;
    ASSERT_TRUE(core.OnReport(this, up).ok());
  }

 private:
  const std::string name_;
  std::string isa_ = "avx2";
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::NodeOrder> orders_;
};

// The real one, and what a test adds to it.
class LaterClock : public Clock {
 public:
  absl::Time Now() const override { return Real().Now(); }
  absl::Duration SinceStart() const override { return Real().SinceStart() + absl::Seconds(seconds.load()); }
  std::atomic<int> seconds = 0;
};

class CoreTest : public testing::Test {
 protected:
  CoreTest() { Start(); }
  void Start() {
    launcher::Launchers launchers;
    launchers[recipe::LauncherKind::kLocal] = std::make_unique<Pair>();
    core_ = Core::Create(JoinPath(dir_.path(), "state"), clock_, std::move(launchers)).value();
  }
  void Restart() {
    core_->OnDetach(&a_);
    core_->OnDetach(&b_);
    core_.reset();
    Start();
  }
  v1::SubmitRequest Request(const std::string& run_dir) {
    EXPECT_TRUE(AtomicWrite(JoinPath(dir_.path(), "recipe.yaml"), kRecipe).ok());
    const prepare::PrepareResult prepared = prepare::PrepareFile(JoinPath(dir_.path(), "recipe.yaml"), {});
    EXPECT_TRUE(prepared.prepared) << recipe::FormatFaults(prepared.faults);
    v1::SubmitRequest request;
    request.mutable_recipe()->set_canonical(prepared.text.canonical);
    request.mutable_recipe()->set_root(prepared.text.root);
    request.set_run_dir(JoinPath(dir_.path(), run_dir));
    return request;
  }
  void Submit() {
    const absl::StatusOr<v1::SubmitReply> reply = core_->Submit(Request("run"));
    ASSERT_TRUE(reply.ok()) << reply.status();
    run_id_ = reply->run_id();
    ASSERT_NE(run_id_, "") << reply->ShortDebugString();
  }
  void SayReady(FakeNode& node, int32_t rank) {
    v1::Report ready;
    ready.mutable_ready()->set_address("address of " + std::to_string(rank));
    node.Say(*core_, run_id_, rank, ready);
  }

  const TempDir dir_;
  LaterClock clock_;
  FakeNode a_{"a"}, b_{"b"};
  std::unique_ptr<Core> core_;
  std::string run_id_;
};

std::vector<int32_t> RanksIn(const v1::EnsureAttempt& order) {
  std::vector<int32_t> ranks;
  for (const v1::RankPart& part : order.ranks()) ranks.push_back(part.rank());
  return ranks;
}

TEST_F(CoreTest, EachNodeIsToldWhatIsCommonAndItsOwnRanks) {
  ASSERT_NO_FATAL_FAILURE(Submit());
  a_.Attach(*core_);
  b_.Attach(*core_);
  const v1::EnsureAttempt to_a = a_.WaitEnsure(), to_b = b_.WaitEnsure();
  EXPECT_THAT(RanksIn(to_a), ElementsAre(0));
  EXPECT_THAT(RanksIn(to_b), ElementsAre(1));
  EXPECT_EQ(to_a.common().SerializeAsString(), to_b.common().SerializeAsString());
  EXPECT_EQ(to_a.common().world(), 2);
  const plan::Inventory inventory = plan::InventoryFromJson(to_a.common().inventory().json()).value();
  EXPECT_THAT(inventory.nodes, ElementsAre("a", "b"));
  const prepare::PrepareResult rank =
      prepare::Prepare({to_a.common().recipe().canonical(), to_a.common().recipe().root(), ""}, inventory);
  ASSERT_TRUE(rank.prepared);
  EXPECT_EQ(to_a.common().threads(), 2);  // all of a node's
  EXPECT_EQ(rank.prepared->plan.hash, to_a.common().plan_hash());
}

TEST_F(CoreTest, AnOrderThatANodeHasNotHadIsMadeAgainAfterARestart) {
  ASSERT_NO_FATAL_FAILURE(Submit());
  a_.Attach(*core_);
  b_.Attach(*core_);
  const v1::EnsureAttempt first = b_.WaitEnsure();
  Restart();
  a_.Attach(*core_, run_id_, 1);
  b_.Attach(*core_);
  const v1::EnsureAttempt again = b_.WaitEnsure();
  EXPECT_EQ(again.attempt(), 1);
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
}

TEST_F(CoreTest, AnOrderIsMadeAgainOnceAllItsNodesAreKnown) {
  ASSERT_NO_FATAL_FAILURE(Submit());
  a_.Attach(*core_);
  b_.Attach(*core_);
  const v1::EnsureAttempt first = b_.WaitEnsure();
  Restart();
  b_.Attach(*core_);  // has not had it, and what the other node is like is not known yet
  EXPECT_EQ(core_->Nodes().nodes_size(), 1);
  a_.Attach(*core_, run_id_, 1);
  EXPECT_EQ(b_.WaitEnsure().SerializeAsString(), first.SerializeAsString());
}

TEST_F(CoreTest, OrdersThatCannotBeMadeAgainHoldTheRunAndSayWhy) {
  ASSERT_NO_FATAL_FAILURE(Submit());
  a_.Attach(*core_);
  b_.Attach(*core_);
  ASSERT_EQ(b_.WaitEnsure().attempt(), 1);
  Restart();
  a_.Attach(*core_, run_id_, 1);
  b_.set_isa("avx512");  // has not had its order, and comes back on another machine
  b_.Attach(*core_);
  for (FakeNode* node : {&a_, &b_}) {
    const auto stopped = node->WaitStopped();
    EXPECT_EQ(stopped.run_id(), run_id_);
    EXPECT_EQ(stopped.attempt(), 1);
  }
  const v1::RunSummary run = core_->Get(run_id_).value();
  EXPECT_EQ(run.state(), v1::RunState::HELD);
  EXPECT_THAT(run.reason(), HasSubstr("a (avx2) and b (avx512) compute differently"));
}

// Of several that make a run in one folder one has it, and the others take nothing of it away.
TEST_F(CoreTest, OneOfSeveralSubmissionsToOneFolderHasIt) {
  constexpr int kSubmissions = 4;
  for (int round = 0; round < 25; ++round) {
    const std::string name = "run-" + std::to_string(round), folder = JoinPath(dir_.path(), name);
    const v1::SubmitRequest request = Request(name);
    std::latch together(kSubmissions);
    std::array<absl::StatusOr<v1::SubmitReply>, kSubmissions> replies;
    std::vector<std::thread> threads;
    for (auto& reply : replies) {
      threads.emplace_back([&] {
        together.arrive_and_wait();
        reply = core_->Submit(request);
      });
    }
    for (std::thread& thread : threads) thread.join();
    int made = 0;
    for (const auto& reply : replies) {
      made += reply.ok();
      if (!reply.ok()) {
        EXPECT_TRUE(absl::IsAlreadyExists(reply.status())) << reply.status();
      }
    }
    ASSERT_EQ(made, 1);
    for (const char* file : {"recipe.yaml", "plan.json", "logs", "checkpoints"}) {
      EXPECT_TRUE(FileExists(JoinPath(folder, file))) << folder << " " << file;
    }
    EXPECT_THAT(ReadFile(JoinPath(folder, "recipe.yaml")).value(), HasSubstr("kind: Recipe"));
  }
}

TEST_F(CoreTest, OneKeyAtTheSameTimeIsOneRun) {
  v1::SubmitRequest request = Request("keyed");
  request.set_idempotency_key("key");
  std::array<absl::StatusOr<v1::SubmitReply>, 4> replies;
  std::vector<std::thread> threads;
  for (auto& reply : replies) threads.emplace_back([&] { reply = core_->Submit(request); });
  for (std::thread& thread : threads) thread.join();
  const v1::SubmitReply known = core_->Submit(request).value();
  for (const auto& reply : replies) {
    // Who comes while the first is on its way to the store is told that the folder is taken.
    if (reply.ok()) {
      EXPECT_EQ(reply->run_id(), known.run_id());
    }
  }
  EXPECT_EQ(core_->List({})->runs_size(), 1);
  EXPECT_TRUE(FileExists(JoinPath(known.run_dir(), "recipe.yaml")));
}

TEST_F(CoreTest, ANodeOfAnotherWireVersionIsRefusedAndShown) {
  // The hello of a trainerd of the version before there were wire versions.
  constexpr char kOlder[] =
      "\0228\012\001a\022\002i1\032\002b1 "
      "\002*\004avx22\001m9\000\000\000\350vH7BA\000\000\000\350vHGBJ\001pP"
      "\200\200\200\200 Z\0050.1.0";
  v1::NodeReport older, newer, running;
  ASSERT_TRUE(older.ParseFromArray(kOlder, sizeof kOlder - 1));
  ASSERT_EQ(older.hello().name(), "a");
  newer.mutable_hello()->set_name("c");
  newer.mutable_hello()->set_version("9.9");
  newer.mutable_hello()->set_wire_version(v1::Wire::CURRENT + 1);
  running.mutable_running();
  const absl::Status refused = core_->OnReport(&a_, older);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(
      std::string(refused.message()),
      AllOf(HasSubstr("node a is refused: its trainerd (0.1.0) speaks wire version 0"),
            HasSubstr(absl::StrCat("this controller (", GALLEY_VERSION, ") ", v1::Wire::CURRENT, ";")),
            HasSubstr("install the same release on both")));
  EXPECT_TRUE(absl::IsFailedPrecondition(core_->OnReport(&a_, running)));
  EXPECT_TRUE(absl::IsFailedPrecondition(core_->OnReport(&a_, older))) << "it tries again";
  const absl::Status newer_refused = core_->OnReport(&b_, newer);
  EXPECT_THAT(std::string(newer_refused.message()),
              HasSubstr(absl::StrCat("trainerd (9.9) speaks wire version ", v1::Wire::CURRENT + 1)));
  core_->OnDetach(&a_);
  core_->OnDetach(&b_);
  ASSERT_EQ(core_->Nodes().nodes_size(), 2);
  EXPECT_EQ(core_->Nodes().nodes(0).info().name(), "a");
  EXPECT_EQ(core_->Nodes().nodes(0).state(), v1::NodeState::REFUSED);
  // A run that waits for nodes says why.
  ASSERT_NO_FATAL_FAILURE(Submit());
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  std::string next;
  while (!absl::StrContains(next, "node a is refused") && absl::Now() < deadline) {
    next = core_->Get(run_id_)->next();
    std::this_thread::yield();
  }
  EXPECT_THAT(next, HasSubstr("two nodes; node a is refused"));
  // One whose trainerd has ended is no longer refused, and known no more.
  clock_.seconds = 15;
  EXPECT_FALSE(core_->OnReport(&a_, older).ok());
  clock_.seconds = 30;
  ASSERT_EQ(core_->Nodes().nodes_size(), 1);
  EXPECT_EQ(core_->Nodes().nodes(0).info().name(), "a");
  // The same release has been installed.
  a_.Attach(*core_);
  b_.Attach(*core_);
  EXPECT_EQ(a_.WaitEnsure().attempt(), 1);
  EXPECT_EQ(core_->Nodes().nodes(0).state(), v1::NodeState::BUSY);
}

TEST_F(CoreTest, WhatRanksOfDifferentNodesMustKnowIsPassedOnAndRepeated) {
  ASSERT_NO_FATAL_FAILURE(Submit());
  a_.Attach(*core_);
  b_.Attach(*core_);
  ASSERT_EQ(a_.WaitEnsure().attempt(), 1);
  ASSERT_EQ(b_.WaitEnsure().attempt(), 1);
  SayReady(b_, 1);
  SayReady(a_, 0);
  for (FakeNode* node : {&a_, &b_}) {
    const v1::RankOrder peers = node->WaitToRanks(v1::Order::kPeers);
    EXPECT_EQ(peers.rank(), -1);
    EXPECT_THAT(peers.order().peers().addresses(), ElementsAre("address of 0", "address of 1"));
  }
  // The order was lost with the stream: the rank still waits, and its node tells so.
  core_->OnDetach(&b_);
  b_.Attach(*core_, run_id_, 1);
  SayReady(b_, 1);
  EXPECT_EQ(b_.WaitToRanks(v1::Order::kPeers).rank(), 1);

  v1::Report shard;
  shard.mutable_shard()->set_step(5);
  shard.mutable_shard()->set_rank(1);
  b_.Say(*core_, run_id_, 1, shard);
  EXPECT_EQ(a_.WaitToRanks(v1::Order::kShard).rank(), 0);
  // The rank may be a save ahead of what is committed.
  shard.mutable_shard()->set_step(6);
  b_.Say(*core_, run_id_, 1, shard);
  EXPECT_EQ(a_.WaitShard(6).run_id(), run_id_);
  core_->OnDetach(&a_);
  a_.Attach(*core_, run_id_, 1);
  EXPECT_EQ(a_.WaitShard(5).run_id(), run_id_);
  EXPECT_EQ(a_.WaitShard(6).run_id(), run_id_);
  // Committed: of no use any more, which the node that has written them is told. What an earlier attempt has
  // committed says nothing of them.
  v1::Report committed;
  committed.mutable_checkpoint()->set_step(9);
  committed.mutable_checkpoint()->set_path("/c/step-9");
  a_.Say(*core_, run_id_, 0, committed, 0);
  core_->OnDetach(&a_);
  a_.Attach(*core_, run_id_, 1);
  EXPECT_EQ(a_.WaitShard(6).run_id(), run_id_);
  committed.mutable_checkpoint()->set_step(6);
  committed.mutable_checkpoint()->set_path("/c/step-6");
  a_.Say(*core_, run_id_, 0, committed);
  EXPECT_EQ(b_.WaitCommitted().step(), 6);
  core_->OnDetach(&b_);
  b_.Attach(*core_, run_id_, 1);
  b_.Say(*core_, run_id_, 1, shard);  // the word of it was lost with the stream
  EXPECT_EQ(b_.WaitCommitted().step(), 6);
  core_->OnDetach(&a_);
  a_.Attach(*core_, run_id_, 1);
  shard.mutable_shard()->set_step(7);
  b_.Say(*core_, run_id_, 1, shard);
  EXPECT_EQ(a_.WaitShard(7).run_id(), run_id_);
}

}  // namespace
}  // namespace galley::service
