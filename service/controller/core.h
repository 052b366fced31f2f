// The controller without its wires: store, reconciler, nodes and watchers under one lock. Handlers call it
// and turn what it says into replies. Nothing here waits for a node or a disk but the store's own commit;
// what may take long (verifying a checkpoint) is done on a thread of its own.
//
// Errors are for users: kNotFound (no such run), kFailedPrecondition (a conflict), kInvalidArgument.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
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

  Core(std::unique_ptr<Store> store, const Clock& clock, launcher::Launchers launchers);
  absl::Status DeriveMissingPlans();

  // World, called by the reconciler under the lock.
  absl::StatusOr<Placement> Place(const Run& run) override;
  void PlanAttempt(const Run& run, const Placement& placement) override;
  bool Attached(const std::string& node) const override;
  void Send(const Run& run, const std::string& node, Order order) override;
  void StopStray(const std::string& node, const std::string& run_id, int64_t attempt) override;
  int64_t LastStep(const Run& run) const override;
  void Moved(const Run& run, const EventRecord& record) override;

  absl::Status OnHello(NodeLink* link, const v1::NodeInfo& info);
  absl::Status OnNodeReport(NodeEntry& node, const v1::NodeReport& report);
  void OnStep(const v1::RankReport& report);
  void OnCommitted(const std::string& run_id, const v1::CheckpointCommitted& committed);
  void FailSaves(const Run& run, const std::string& why);
  NodeEntry* EntryOf(NodeLink* link);
  Live* LiveAt(const std::string& run_id, int64_t attempt);
  const Live* LiveOf(const std::string& run_id) const;
  v1::RunSummary SummaryOf(const Run& run) const;
  absl::StatusOr<v1::RunSummary> ApplyRequest(const std::string& reference, const Event& event);
  int64_t LargestNode() const;
  std::vector<launcher::Node> NodesFor(const Run& run, const std::vector<Run>& runs) const;
  void ReleaseNodes(const Run& run);
  void SendAttempt(const Run& run, const std::string& node);
  void ToRanks(const Run& run, const std::string& node, int32_t rank, v1::Order order);
  void OnReady(const Run& run, const v1::RankReport& report);
  void OnShard(const Run& run, const v1::RankReport& report);
  void PassShards(const Run& run);
  absl::StatusOr<AttemptOrders> OrdersOf(const Run& run, const NodeInfos& infos);
  std::deque<PlanJob>::iterator NextJob();
  void PlanOne(std::unique_lock<std::mutex>& lock, PlanJob job);
  void SendTo(const std::string& node, v1::NodeOrder order);
  void MirrorEvent(const Run& run, const EventRecord& record);
  void Timer();
  void Planner();

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_timer_;
  std::condition_variable wake_planner_;
  std::condition_variable run_stood_still_;
  bool stopping_ = false;

  // Below: guarded by mutex_.
  std::unique_ptr<Store> store_;
  launcher::Launchers launchers_;
  Reconciler reconciler_;
  std::map<std::string, NodeEntry> nodes_;
  std::map<std::string, Live> live_;
  std::map<Feed*, Subscription> feeds_;
  std::set<std::string> mirrored_;  // runs whose events.jsonl is whole
  std::deque<PlanJob> to_plan_;
  std::map<std::string, Placement> reserved_;    // of runs whose attempt is being planned
  std::map<std::string, AttemptOrders> orders_;  // of the newest attempt, by run id
  uint64_t next_order_ = 1;
  bool capacity_freed_ = false;
  bool winding_down_ = false;

  // Thread-safe by themselves; used outside the lock.
  PreparedRecipes recipes_;
  LargestIds largest_ids_;

  std::thread timer_;
  std::thread planner_;
};

}  // namespace galley::service
