// Level-triggered: compares what every run should be with what is seen of it, and acts through World. It
// keeps no truth of its own: after a restart of the controller Load rebuilds everything from the store, and
// nodes tell what lives on them.
//
// Not thread-safe; World's calls come from inside the reconciler's, on the same thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/base/clock.h"
#include "service/run/store.h"

namespace galley::service {

// What a run's nodes should be doing for it.
enum class Order {
  kNone,         // nothing lives, or ranks are leaving by themselves
  kRun,          // the attempt's ranks live
  kSaveAndStop,  // they save after the current step and leave
  kStop,         // none of them may live
};
Order Wanted(const Run& run);

// Where an attempt starts from.
struct Base {
  std::string checkpoint;  // empty: the beginning
  int64_t step = 0;
  std::string note;  // what people should know, such as checkpoints that were skipped
};

class World {
 public:
  virtual ~World() = default;
  // Nodes for the next attempt of this run, kept for it until it has been planned. kUnavailable: none now;
  // the message is shown as what the run waits for. kFailedPrecondition: none ever, until a human acts.
  virtual absl::StatusOr<Placement> Place(const Run& run) = 0;
  // Finds where the next attempt starts from; answered by Reconciler::Planned, at once or later.
  virtual void PlanAttempt(const Run& run, const Placement& placement) = 0;
  virtual bool Attached(const std::string& node) const = 0;
  // Idempotent, and only to an attached node of the run's placement. The order may be lost: it is given again
  // when the node comes back.
  virtual void Send(const Run& run, const std::string& node, Order order) = 0;
  // An attempt lives on a node that should not: overtaken, or of a run nobody knows.
  virtual void StopStray(const std::string& node, const std::string& run_id, int64_t attempt) = 0;
  // The highest step seen of the run's attempt; 0 when not known.
  virtual int64_t LastStep(const Run& run) const = 0;
  // An event was stored.
  virtual void Moved(const Run& run, const EventRecord& record) = 0;
};

using LivingAttempts = std::set<std::pair<std::string, int64_t>>;  // run id, attempt

class Reconciler {
 public:
  Reconciler(Store& store, World& world, const Clock& clock) : store_(store), world_(world), clock_(clock) {}

  absl::Status Load();
  // A new run was created in the store.
  void Added(const Run& run);
  // Stores the event and acts on it.
  absl::StatusOr<Applied> Apply(const std::string& id, const Event& event);
  // Answer to World::PlanAttempt. kNotFound: the run directory is gone. Other errors hold the run.
  void Planned(const std::string& id, const Placement& placement, absl::StatusOr<Base> base);
  // The orders of an attempt that is planned cannot be made, so its ranks cannot start: holds the run.
  void OrdersFailed(const std::string& id, int64_t attempt, const absl::Status& status);
  // The node is there, all its older reports are applied, and `living` is what lives on it.
  void NodeAttached(const std::string& node, const LivingAttempts& living);
  void NodeDetached(const std::string& node);
  // Everything that is due. Call when NextWake has passed, and when capacity appears.
  void Tick();
  // Time from now until something is due; InfiniteDuration: only an event moves anything.
  absl::Duration NextWake() const;
  // What happens next to the run, or what it waits for, in words. Empty for a run that is over.
  std::string Next(const Run& run) const;

 private:
  // What is forgotten at a restart.
  struct Watch {
    RunState state = RunState::kAccepted;
    absl::Duration entered;        // monotonic, into `state`
    absl::Duration session_start;  // monotonic
    bool in_session = false;
    bool planning = false;
    std::map<std::string, Order> sent;  // by node
    int64_t sent_attempt = 0;
    // Monotonic; since when some nodes of a running attempt have no rank any more. Infinite: none.
    absl::Duration partly_gone = absl::InfiniteDuration();
    std::string waits_for;
    absl::Duration wake = absl::InfiniteDuration();  // monotonic
  };

  void Settle(Run run);
  bool Decide(const Run& run, Watch& watch, Event* event);
  void TryPlace(const Run& run, Watch& watch);
  Order OrderFor(const Run& run, Watch& watch) const;
  void GiveOrders(const Run& run, Watch& watch);
  void FindGone(const std::string& id, const std::string& node, const LivingAttempts& living);
  void PlacedOrBlocked(const Run& run, Watch& watch, const absl::StatusOr<Placement>& placement);
  void Note(const Run& run, Watch& watch);
  absl::StatusOr<Applied> StoreEvent(const std::string& id, const Event& event);

  Store& store_;
  World& world_;
  const Clock& clock_;
  std::map<std::string, Watch> watches_;  // every run that is not over
};

}  // namespace galley::service
