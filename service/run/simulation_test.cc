// Many seeded histories of runs on nodes that crash, vanish, repeat themselves and lose orders, with a
// controller that restarts: the reconciler must keep its promises in all of them.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/rng.h"
#include "service/run/memory_store_for_test.h"
#include "service/run/reconciler.h"

namespace galley::service {
namespace {

// One node: keeps ranks going while nobody listens, spools reports, remembers what ended.
struct Node {
  struct Attempt {
    int64_t number = 0;
    int64_t parts = 1;  // nodes that host its ranks
    bool leads = true;  // rank 0 is here
    int64_t step = 0;
    bool training = false;
    Order order = Order::kRun;
  };
  struct Report {
    std::string run;
    Event event;
  };
  bool attached = false;
  std::map<std::string, Attempt> lives;
  std::map<std::string, int64_t> ended;  // highest attempt that ended here
  std::deque<Report> spool;
};

constexpr int64_t kTotalSteps = 300;

class Simulation : public World {
 public:
  explicit Simulation(uint64_t seed) : random_(seed, 1) {
    nodes_["n1"];
    nodes_["n2"];
    Restart();
    const int runs = 1 + Roll(3);
    for (int i = 0; i < runs; ++i) {
      Run run;
      run.id = absl::StrCat("run", i);
      run.plan.total_steps = kTotalSteps;
      run.plan.nodes = 1 + Roll(2);  // rank 0 on the first
      run.plan.exit_duration_seconds = Roll(4) == 0 ? 30 : 0;
      ids_.push_back(run.id);
      reconciler_->Added(store_.Create(run, "", clock_.Now())->run);
    }
  }

  void RunHistory() {
    for (int i = 0; i < 250; ++i) {
      Disturb();
      NextMoment();
      CheckInvariants();
    }
    // Faults stop: everything must come to rest.
    store_.fail_ = 0;
    calm_ = true;
    for (auto& [name, node] : nodes_) Attach(name);
    for (int i = 0; i < 2000 && !AtRest(); ++i) {
      NextMoment();
      CheckInvariants();
    }
    EXPECT_TRUE(AtRest()) << Describe();
    for (const std::string& id : ids_) {
      ++ends_[static_cast<int>(store_.Get(id)->state)];
      attempts_ += store_.Get(id)->attempt;
      int64_t seq = 0, attempt = 0;
      const std::vector<EventRecord> events = store_.Events(id, 0).value();
      for (const EventRecord& e : events) {
        ASSERT_EQ(e.seq, ++seq);
        ASSERT_GE(e.attempt, attempt);
        attempt = e.attempt;
      }
      ASSERT_EQ(store_.Get(id)->event_seq, seq);
    }
  }

  // World
  absl::StatusOr<Placement> Place(const Run& run) override {
    Placement placement;
    for (const auto& [name, node] : nodes_) {
      const auto placed = static_cast<int32_t>(placement.nodes.size());
      if (node.attached && placed < run.plan.nodes) placement.nodes.push_back({name, {placed}});
    }
    if (static_cast<int64_t>(placement.nodes.size()) == run.plan.nodes) return placement;
    return absl::UnavailableError("a node");
  }
  void PlanAttempt(const Run& run, const Placement& placement) override {
    plans_.push_back({run.id, placement});
  }
  bool Attached(const std::string& node) const override { return nodes_.at(node).attached; }
  void Send(const Run& run, const std::string& node, Order order) override {
    CHECK(Attached(node));
    CHECK(run.placement.LivesOn(node));
    if (!calm_ && Roll(10) == 0) {  // lost with the stream
      lost_streams_.insert(node);
      return;
    }
    if (!calm_ && order == Order::kRun && Roll(40) == 0) {
      without_orders_.push_back({run.id, run.attempt});
      return;
    }
    Deliver(nodes_[node], run, order);
  }
  void StopStray(const std::string& node, const std::string& id, int64_t attempt) override {
    Run run;
    run.id = id;
    run.attempt = attempt;
    Deliver(nodes_[node], run, Order::kStop);
  }
  int64_t LastStep(const Run&) const override { return 0; }
  void Moved(const Run& run, const EventRecord& record) override {
    EXPECT_FALSE(IsFinal(record.from) && record.to != record.from) << run.id;
    EXPECT_GE(run.attempt, highest_[run.id]);
    highest_[run.id] = run.attempt;
  }

  static inline std::map<int, int> ends_;  // how many runs came to rest in which state
  static inline int64_t attempts_ = 0;

 private:
  int Roll(int n) { return static_cast<int>(random_.At(rolls_++)[0] % static_cast<uint32_t>(n)); }

  void Restart() {
    for (auto& [name, node] : nodes_) node.attached = false;
    plans_.clear();
    without_orders_.clear();
    reconciler_ = std::make_unique<Reconciler>(store_, *this, clock_);
    ASSERT_TRUE(reconciler_->Load().ok());
  }

  void Deliver(Node& node, const Run& run, Order order) {
    const std::string& id = run.id;
    auto it = node.lives.find(id);
    if (order == Order::kRun) {
      if (it != node.lives.end() && it->second.number == run.attempt) return;
      if (node.ended[id] >= run.attempt) {
        Say(node, id, EventKind::kAttemptGone, run.attempt, 0);
        return;
      }
      for (const auto& [name, other] : nodes_) {
        auto living = other.lives.find(id);
        EXPECT_TRUE(living == other.lives.end() || living->second.number == run.attempt)
            << "two attempts of " << id << " live";
      }
      node.lives[id] = {.number = run.attempt,
                        .parts = static_cast<int64_t>(run.placement.nodes.size()),
                        .leads = run.placement.HostOf(0) == NameOf(node),
                        .step = store_.Get(id)->last_checkpoint_step};
      return;
    }
    if (it == node.lives.end() || it->second.number > run.attempt) {
      node.ended[id] = std::max(node.ended[id], run.attempt);
      Say(node, id, EventKind::kAttemptGone, run.attempt, 0);
      return;
    }
    it->second.order = std::max(it->second.order, order);
    if (order == Order::kStop && Roll(3) > 0) End(node, id);
  }

  std::string NameOf(const Node& node) const {
    for (const auto& [name, other] : nodes_) {
      if (&other == &node) return name;
    }
    return "";
  }
  // Nodes on which ranks of that attempt live.
  int64_t Parts(const std::string& id, int64_t attempt) const {
    int64_t parts = 0;
    for (const auto& [name, node] : nodes_) {
      const auto it = node.lives.find(id);
      parts += it != node.lives.end() && it->second.number == attempt ? 1 : 0;
    }
    return parts;
  }

  void Say(Node& node, const std::string& id, EventKind kind, int64_t attempt, int64_t step,
           Failure failure = Failure::kNone) {
    Event e;
    e.kind = kind;
    e.attempt = attempt;
    e.step = step;
    e.failure = failure;
    e.node = NameOf(node);
    if (kind == EventKind::kCheckpoint) e.path = absl::StrCat("/c/", id, "/", step);
    node.spool.push_back({id, e});
  }

  void End(Node& node, const std::string& id) {
    const Node::Attempt attempt = node.lives[id];
    node.ended[id] = attempt.number;
    node.lives.erase(id);
    Say(node, id, EventKind::kAttemptGone, attempt.number, attempt.step);
  }

  void Live(Node& node) {
    std::vector<std::string> ids;
    for (const auto& [id, attempt] : node.lives) ids.push_back(id);
    for (const std::string& id : ids) {
      Node::Attempt& a = node.lives[id];
      if (!calm_ && Roll(25) == 0) {
        const Failure failures[] = {Failure::kRankCrash, Failure::kHang, Failure::kPeerLost,
                                    Failure::kNumeric, Failure::kInternal};
        if (Roll(4) > 0) Say(node, id, EventKind::kAttemptFailed, a.number, a.step, failures[Roll(5)]);
        if (Roll(2) > 0) End(node, id);  // else it lingers until it is told to stop
        continue;
      }
      if (a.order == Order::kStop) {
        End(node, id);
      } else if (done_[id] >= a.number) {  // its leader has spoken for it
        if (calm_ || Roll(2) > 0) End(node, id);
      } else if (Parts(id, a.number) < a.parts) {  // the others are not up yet, or lost
        if (a.training && Roll(2) > 0) {
          Say(node, id, EventKind::kAttemptFailed, a.number, a.step, Failure::kPeerLost);
          End(node, id);
        } else if (!a.training && a.order == Order::kSaveAndStop) {
          End(node, id);
        }
      } else if (!a.training) {
        a.training = true;
        if (a.leads) Say(node, id, EventKind::kTraining, a.number, a.step);
      } else if (a.leads) {
        Lead(node, id, a);
      }
    }
  }

  void Lead(Node& node, const std::string& id, Node::Attempt& a) {
    if (a.order == Order::kSaveAndStop) {
      Say(node, id, EventKind::kCheckpoint, a.number, a.step);
      Say(node, id, EventKind::kDrained, a.number, a.step);
      done_[id] = a.number;
      End(node, id);
      return;
    }
    a.step = std::min(a.step + 1 + Roll(5), kTotalSteps);
    if (a.step == kTotalSteps || Roll(4) == 0) Say(node, id, EventKind::kCheckpoint, a.number, a.step);
    if (a.step < kTotalSteps) return;
    Say(node, id, EventKind::kCompleted, a.number, a.step);
    done_[id] = a.number;
    End(node, id);
  }

  void Attach(const std::string& name) {
    Node& node = nodes_[name];
    if (node.attached) return;
    Drain(node);
    node.attached = true;
    LivingAttempts living;
    for (const auto& [id, attempt] : node.lives) living.insert({id, attempt.number});
    reconciler_->NodeAttached(name, living);
  }

  void Drain(Node& node) {
    while (!node.spool.empty()) {
      const Node::Report report = node.spool.front();
      node.spool.pop_front();
      const int times = !calm_ && Roll(5) == 0 ? 2 : 1;  // at least once
      for (int i = 0; i < times; ++i) {
        if (!reconciler_->Apply(report.run, report.event).ok()) {
          node.spool.push_front(report);  // not acknowledged: it comes again
          return;
        }
      }
    }
  }

  void NextMoment() {
    clock_.Advance(absl::Milliseconds(100 + Roll(2000)));
    for (auto& [name, node] : nodes_) {
      Live(node);
      if (node.attached) Drain(node);
    }
    for (const std::string& name : std::exchange(lost_streams_, {})) {
      nodes_[name].attached = false;
      reconciler_->NodeDetached(name);
      if (calm_) Attach(name);
    }
    std::deque<std::pair<std::string, Placement>> plans;
    plans.swap(plans_);
    for (const auto& [id, placement] : plans) {
      const Run run = store_.Get(id).value();
      reconciler_->Planned(id, placement, Base{run.last_checkpoint_path, run.last_checkpoint_step, ""});
    }
    for (const auto& [id, attempt] : std::exchange(without_orders_, {})) {
      reconciler_->OrdersFailed(id, attempt, absl::FailedPreconditionError("nodes that do not fit together"));
      // Held, or asked for again; the store may be away.
      EXPECT_TRUE(!calm_ || store_.Get(id)->attempt > attempt || Wanted(*store_.Get(id)) != Order::kRun);
    }
    if (reconciler_->NextWake() <= absl::ZeroDuration()) reconciler_->Tick();
  }

  void Disturb() {
    const std::string name = Roll(2) ? "n1" : "n2";
    Node& node = nodes_[name];
    const std::string& id = ids_[Roll(static_cast<int>(ids_.size()))];
    Event e;
    switch (Roll(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
        Attach(name);
        break;
      case 4:
        if (node.attached) {
          node.attached = false;
          reconciler_->NodeDetached(name);
        }
        break;
      case 5:
        Restart();
        break;
      case 6:  // the machine loses power: ranks, spool and memory are gone
        if (Roll(3) == 0) {
          const bool was = node.attached;
          node = Node{};
          if (was) reconciler_->NodeDetached(name);
        }
        break;
      case 7:
        e.kind = EventKind::kPauseRequested;
        e.cause = StopCause::kPause;
        reconciler_->Apply(id, e).status().IgnoreError();  // a conflict is an answer too
        break;
      case 8:
        if (Roll(6) == 0) {
          e.kind = EventKind::kCancelRequested;
          e.cause = Roll(2) ? StopCause::kCancel : StopCause::kCancelNow;
          reconciler_->Apply(id, e).status().IgnoreError();
        }
        break;
      case 9:
      case 10:
        e.kind = EventKind::kResumeRequested;
        reconciler_->Apply(id, e).status().IgnoreError();
        break;
      case 11:
        store_.fail_ = Roll(3);
        break;
      default:
        break;
    }
  }

  void CheckInvariants() {
    for (const std::string& id : ids_) {
      const Run run = store_.Get(id).value();
      if (IsFinal(run.state) && !run.live()) continue;
      EXPECT_TRUE(reconciler_->NextWake() < absl::InfiniteDuration() || !reconciler_->Next(run).empty())
          << id;
      std::set<int64_t> living;
      for (const auto& [name, node] : nodes_) {
        if (const auto it = node.lives.find(id); it != node.lives.end()) living.insert(it->second.number);
      }
      EXPECT_LE(living.size(), 1u) << id;
    }
  }

  bool AtRest() const {
    for (const std::string& id : ids_) {
      const Run run = store_.Get(id).value();
      if (!IsStopped(run.state) || run.live()) return false;
    }
    return true;
  }

  std::string Describe() const {
    std::string text;
    for (const std::string& id : ids_) {
      const Run run = store_.Get(id).value();
      absl::StrAppend(&text, id, " ", Name(run.state), " live ", run.live(), " on ", run.placement.Names(),
                      ": ", reconciler_->Next(run), "\n");
    }
    return text;
  }

  Philox random_;
  uint64_t rolls_ = 0;
  FakeClock clock_;
  MemoryStore store_;
  std::map<std::string, Node> nodes_;
  std::unique_ptr<Reconciler> reconciler_;
  std::vector<std::string> ids_;
  std::deque<std::pair<std::string, Placement>> plans_;
  std::vector<std::pair<std::string, int64_t>> without_orders_;  // attempts whose orders cannot be made
  std::map<std::string, int64_t> done_;  // the highest attempt whose leader has left with a good word
  std::map<std::string, int64_t> highest_;
  std::set<std::string> lost_streams_;
  bool calm_ = false;
};

TEST(Simulation, EveryHistoryKeepsTheInvariantsAndComesToRest) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(seed);
    Simulation(seed).RunHistory();
    if (testing::Test::HasFailure()) return;
  }
  // The histories are worth something: they reach every end, over many attempts.
  for (RunState state : {RunState::kSucceeded, RunState::kPaused, RunState::kHeld, RunState::kCancelled}) {
    EXPECT_GT(Simulation::ends_[static_cast<int>(state)], 20) << Name(state);
  }
  EXPECT_GT(Simulation::attempts_, 4000);
}

}  // namespace
}  // namespace galley::service
