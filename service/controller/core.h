// The controller without its wires: store, reconciler, nodes and watchers under one lock. Handlers call it
// and turn what it says into replies. Nothing here waits for a node or a disk but the store's own commit;
// what may take long (verifying a checkpoint) is done on a thread of its own.
//
// Errors are for users: kNotFound (no such run), kFailedPrecondition (a conflict), kInvalidArgument.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "galley/v1/controller.pb.h"
#include "launcher/launcher.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "service/controller/attempt.h"
#include "service/controller/checks.h"
#include "service/controller/feed.h"
#include "service/controller/live.h"
#include "service/run/reconciler.h"
#include "service/run/store.h"

namespace galley::service {

class Core final : private World {
 public:
  // Opens the store and adopts every run in it.
  static absl::StatusOr<std::unique_ptr<Core>> Create(const std::string& state_dir, const Clock& clock,
                                                      launcher::Launchers launchers);
  ~Core() override;

  // For users.
  absl::StatusOr<v1::SubmitReply> Submit(const v1::SubmitRequest& request);
  absl::StatusOr<v1::RunSummary> Get(const std::string& reference);
  absl::StatusOr<v1::ListReply> List(const v1::ListRequest& request);
  absl::StatusOr<v1::RunSummary> Stop(const v1::StopRequest& request);
  absl::StatusOr<v1::RunSummary> Resume(const v1::ResumeRequest& request);
  // `done` is called once, at once or when the checkpoint is committed, has failed, or the attempt ended.
  void Save(const v1::SaveRequest& request, Live::SaveDone done);
  absl::StatusOr<Run> Find(const std::string& reference);
  v1::NodesReply Nodes();

  struct Interest {
    int64_t since_event = 0;
    bool follow = true;      // false: what is known, then the end
    bool until_stop = true;  // false: follows a run that stands still, too
  };
  // Gives the feed the run's summary, its events after `since_event` and its last steps, then everything that
  // comes, until Unsubscribe.
  absl::Status Subscribe(const std::string& reference, const Interest& interest, Feed* feed);
  void Unsubscribe(Feed* feed);

  // For nodes. An error ends the stream: the node comes back and repeats what was not acknowledged.
  absl::Status OnReport(NodeLink* link, const v1::NodeReport& report);
  void OnDetach(NodeLink* link);

  // For a private controller at its end: pauses what runs, and waits until no rank lives or `patience` is
  // over; then tells the nodes to leave.
  void WindDown(absl::Duration patience);
  // The wires are about to be cut: answers what is still open, and takes no more reports. Idempotent.
  void Close();

 private:
  struct NodeEntry {
    v1::NodeInfo info;
    NodeLink* link = nullptr;  // nullptr: not here now
    bool attached = false;     // all its older reports are in
    int64_t last_seen_unix_ms = 0;
  };
  // A trainerd that speaks another wire version. It tries again all the time.
  struct RefusedNode {
    v1::NodeInfo info;
    std::string why;
    int64_t last_seen_unix_ms = 0;
    absl::Duration last_seen;  // of the clock's SinceStart
  };
  struct Subscription {
    std::string run_id;
    Interest interest;
  };

  // Work of the planner's thread: what an attempt starts from and its orders; or the orders alone, of one
  // that is planned already.
  struct PlanJob {
    Run run;
    Placement placement;
    bool orders_only = false;
  };
  struct PlannedAttempt {
    Run run;  // as the attempt makes it
    absl::StatusOr<Base> base;
    absl::StatusOr<AttemptOrders> orders;
  };

  Core(std::unique_ptr<Store> store, const Clock& clock, launcher::Launchers launchers);

  // World, called by the reconciler under the lock.
  absl::StatusOr<Placement> Place(const Run& run) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PlanAttempt(const Run& run, const Placement& placement) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Attached(const std::string& node) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(const Run& run, const std::string& node, Order order) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopStray(const std::string& node, const std::string& run_id, int64_t attempt) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t LastStep(const Run& run) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Moved(const Run& run, const EventRecord& record) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Status OnHello(NodeLink* link, const v1::NodeInfo& info) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RefuseVersion(const v1::NodeInfo& info) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetRefused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);  // those who have given up
  void OnRunning(NodeEntry& node, const v1::RunningAttempts& running) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OnNodeReport(NodeEntry& node, const v1::NodeReport& report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ApplyReport(const NodeEntry& node, const v1::NodeReport& report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnStep(const v1::RankReport& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnCommitted(const v1::RankReport& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FailSaves(const Run& run, const std::string& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  NodeEntry* EntryOf(NodeLink* link) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Live* LiveAt(const std::string& run_id, int64_t attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Live* LiveOf(const std::string& run_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<v1::SubmitReply> Repeated(const v1::SubmitRequest& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  v1::RunSummary SummaryOf(const Run& run) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::RunSummary> ApplyRequest(const std::string& reference, const Event& event);
  int64_t LargestNode() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<launcher::Node> NodesFor(const Run& run, const std::vector<Run>& runs) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReleaseNodes(const Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendAttempt(const Run& run, const std::string& node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ToRanks(const Run& run, const std::string& node, int32_t rank, v1::Order order)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnReady(const Run& run, const v1::RankReport& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnShard(const Run& run, const v1::RankReport& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PassShards(const Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendCommitted(const Run& run, const std::string& node, int64_t step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::deque<PlanJob>::iterator NextJob() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  PlannedAttempt Plan(const PlanJob& job, const NodeInfos& infos);  // without the lock
  void Take(const PlanJob& job, PlannedAttempt planned) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendTo(const std::string& node, v1::NodeOrder order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MirrorEvent(const Run& run, const EventRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Timer();
  void Planner();

  const Clock& clock_;
  Mutex mutex_;
  CondVar wake_timer_;
  CondVar wake_planner_;
  CondVar run_stood_still_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::unique_ptr<Store> store_ ABSL_GUARDED_BY(mutex_);
  launcher::Launchers launchers_ ABSL_GUARDED_BY(mutex_);
  Reconciler reconciler_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, NodeEntry> nodes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, RefusedNode> refused_ ABSL_GUARDED_BY(mutex_);  // by name
  std::map<std::string, Live> live_ ABSL_GUARDED_BY(mutex_);
  std::map<Feed*, Subscription> feeds_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> mirrored_ ABSL_GUARDED_BY(mutex_);  // runs whose events.jsonl is whole
  std::deque<PlanJob> to_plan_ ABSL_GUARDED_BY(mutex_);
  // By run id: of attempts that are being planned, and the orders of the newest.
  std::map<std::string, Placement> reserved_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, AttemptOrders> orders_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_order_ ABSL_GUARDED_BY(mutex_) = 1;
  bool capacity_freed_ ABSL_GUARDED_BY(mutex_) = false;
  bool winding_down_ ABSL_GUARDED_BY(mutex_) = false;

  // Thread-safe by themselves; used outside the lock.
  PreparedRecipes recipes_;
  LargestIds largest_ids_;

  std::thread timer_;
  std::thread planner_;
};

}  // namespace galley::service
