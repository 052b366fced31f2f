#include "service/run/reconciler.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"

namespace galley::service {
namespace {

constexpr absl::Duration kLeaveTime = absl::Seconds(60);  // for ranks that are done, or whose peers are
constexpr absl::Duration kStoreRetry = absl::Seconds(1);  // after the store failed (a full disk)
constexpr absl::Duration kPlaceRetry = absl::Seconds(5);  // capacity may appear without an event

bool IsOver(const Run& run) { return IsFinal(run.state) && !run.live(); }

bool WantsAttempt(RunState state) { return state == RunState::kQueued || state == RunState::kRecovering; }

}  // namespace

Order Wanted(const Run& run) {
  if (!run.live()) return Order::kNone;
  switch (run.state) {
    case RunState::kLaunching:
    case RunState::kRunning:
      return Order::kRun;
    case RunState::kDraining:
      if (run.failure != Failure::kNone) return Order::kStop;
      if (run.completed) return Order::kNone;
      return run.stop == StopCause::kCancelNow || run.stop == StopCause::kPauseNow ? Order::kStop
                                                                                   : Order::kSaveAndStop;
    default:
      return Order::kStop;
  }
}

absl::Status Reconciler::Load() {
  ASSIGN_OR_RETURN(std::vector<Run> runs, store_.List());
  for (const Run& run : runs) Added(run);
  return absl::OkStatus();
}

void Reconciler::Added(const Run& run) {
  if (IsOver(run)) return;
  watches_[run.id];
  Settle(run);
}

absl::StatusOr<Applied> Reconciler::StoreEvent(const std::string& id, const Event& event) {
  ASSIGN_OR_RETURN(Applied applied, store_.Apply(id, event, clock_.Now()));
  if (applied.changed) world_.Moved(applied.run, applied.record);
  return applied;
}

absl::StatusOr<Applied> Reconciler::Apply(const std::string& id, const Event& event) {
  ASSIGN_OR_RETURN(Applied applied, StoreEvent(id, event));
  if (applied.changed) Settle(applied.run);
  return applied;
}

// Brings the soft facts in line with the row.
void Reconciler::Note(const Run& run, Watch& watch) {
  const absl::Duration now = clock_.SinceStart();
  if (watch.state != run.state) {
    watch.state = run.state;
    watch.entered = now;
  }
  if (run.session_unix_ms == 0) {
    watch.in_session = false;
  } else if (!watch.in_session) {
    // The wall clock is asked once, for what happened before a restart; from here on only the monotonic one.
    watch.in_session = true;
    const absl::Duration before = clock_.Now() - absl::FromUnixMillis(run.session_unix_ms);
    watch.session_start = now - std::max(before, absl::ZeroDuration());
  }
  if (watch.sent_attempt != run.attempt) {
    watch.sent_attempt = run.attempt;
    watch.sent.clear();
  }
  if (run.state != RunState::kRunning || !run.placement.partly_gone()) {
    watch.partly_gone = absl::InfiniteDuration();
  } else {
    watch.partly_gone = std::min(watch.partly_gone, now);
  }
  watch.wake = absl::InfiniteDuration();
  watch.waits_for.clear();
}

// Moves the run as far as it goes now, then gives its nodes the order that fits.
void Reconciler::Settle(Run run) {
  while (true) {
    Watch& watch = watches_[run.id];
    Note(run, watch);
    Event event;
    if (!Decide(run, watch, &event)) {
      GiveOrders(run, watch);
      break;
    }
    absl::StatusOr<Applied> applied = StoreEvent(run.id, event);
    if (!applied.ok()) {
      LogError("run ", run.id, ": ", applied.status().message());
      watch.wake = clock_.SinceStart() + kStoreRetry;
      watch.waits_for = absl::StrCat("the controller's store: ", applied.status().message());
      return;
    }
    if (!applied->changed) break;
    run = std::move(applied->run);
  }
  if (IsOver(run)) {
    watches_.erase(run.id);
  } else if (WantsAttempt(run.state)) {
    TryPlace(run, watches_[run.id]);
  }
}

// Whether time or the state itself makes something happen to the run now.
bool Reconciler::Decide(const Run& run, Watch& watch, Event* event) {
  if (run.state == RunState::kAccepted) {
    event->kind = EventKind::kAdmitted;
    return true;
  }
  const absl::Duration now = clock_.SinceStart();
  if (run.plan.exit_duration_seconds > 0 && watch.in_session && !IsStopped(run.state) &&
      run.state != RunState::kDraining) {
    const absl::Duration due = watch.session_start + absl::Seconds(run.plan.exit_duration_seconds);
    if (now >= due) {
      event->kind = EventKind::kPauseRequested;
      event->cause = StopCause::kExitDuration;
      event->message = "limits.exit_duration is over";
      return true;
    }
    watch.wake = std::min(watch.wake, due);
  }
  if (watch.partly_gone < absl::InfiniteDuration()) {
    const absl::Duration due = watch.partly_gone + kLeaveTime;
    if (now >= due) {
      event->kind = EventKind::kAttemptFailed;
      event->attempt = run.attempt;
      event->failure = Failure::kLost;
      event->step = run.step;
      event->message = absl::StrCat("the ranks of attempt ", run.attempt,
                                    " on one of its nodes ended, and the others go on without them");
      return true;
    }
    watch.wake = std::min(watch.wake, due);
  }
  return false;
}

void Reconciler::TryPlace(const Run& run, Watch& watch) {
  const absl::Duration now = clock_.SinceStart();
  if (run.live()) {
    watch.waits_for = absl::StrCat("the last ranks of attempt ", run.attempt, " to leave");
    return;
  }
  if (watch.planning) {
    watch.waits_for = "a checkpoint to be verified";
    return;
  }
  if (run.state == RunState::kRecovering) {
    const absl::Duration due = watch.entered + absl::Milliseconds(run.backoff_ms);
    if (now < due) {
      watch.wake = std::min(watch.wake, due);
      watch.waits_for =
          absl::StrCat("back-off: attempt ", run.attempt + 1, " ",
                       absl::FormatDuration(absl::Milliseconds(run.backoff_ms)), " after the failure");
      return;
    }
  }
  PlacedOrBlocked(run, watch, world_.Place(run));
}

void Reconciler::PlacedOrBlocked(const Run& run, Watch& watch, const absl::StatusOr<Placement>& placement) {
  const absl::Duration now = clock_.SinceStart();
  if (absl::IsFailedPrecondition(placement.status())) {
    Event event;
    event.kind = EventKind::kBlocked;
    event.message = std::string(placement.status().message());
    if (absl::StatusOr<Applied> applied = Apply(run.id, event); !applied.ok()) {
      LogError("run ", run.id, ": ", applied.status().message());
      watch.wake = now + kStoreRetry;
    }
    return;
  }
  if (!placement.ok()) {
    watch.waits_for = std::string(placement.status().message());
    watch.wake = std::min(watch.wake, now + kPlaceRetry);
    return;
  }
  watch.planning = true;
  watch.waits_for = "a checkpoint to be verified";
  world_.PlanAttempt(run, *placement);
}

void Reconciler::Planned(const std::string& id, const Placement& placement, absl::StatusOr<Base> base) {
  auto found = watches_.find(id);
  if (found == watches_.end()) return;
  found->second.planning = false;
  absl::StatusOr<Run> run = store_.Get(id);
  if (!run.ok()) {
    LogError("run ", id, ": ", run.status().message());
    return;
  }
  if (!WantsAttempt(run->state) || run->live()) return;  // cancelled or paused meanwhile
  const bool all_here = std::all_of(placement.nodes.begin(), placement.nodes.end(),
                                    [&](const Placement::Node& node) { return world_.Attached(node.name); });
  if (base.ok() && !all_here) {
    Settle(*std::move(run));
    return;
  }
  Event event;
  if (base.ok()) {
    if (!base->note.empty()) {
      Event note;
      note.message = base->note;
      // It moves nothing; the plan itself is what must be stored.
      StoreEvent(id, note).status().IgnoreError();
    }
    event.kind = EventKind::kAttemptPlanned;
    event.attempt = run->attempt + 1;
    event.placement = placement;
    event.path = base->checkpoint;
    event.step = base->step;
  } else {
    event.kind = absl::IsNotFound(base.status()) ? EventKind::kUnlaunchable : EventKind::kBlocked;
    event.message = std::string(base.status().message());
  }
  if (absl::StatusOr<Applied> applied = Apply(id, event); !applied.ok()) {
    LogError("run ", id, ": ", applied.status().message());
    watches_[id].wake = clock_.SinceStart() + kStoreRetry;
  }
}

void Reconciler::OrdersFailed(const std::string& id, int64_t attempt, const absl::Status& status) {
  const absl::StatusOr<Run> run = store_.Get(id);
  if (!run.ok()) {
    LogError("run ", id, ": ", run.status().message());
    return;
  }
  if (run->attempt != attempt || Wanted(*run) != Order::kRun)
    return;  // overtaken, or asked to stop meanwhile
  Event event;
  event.kind = EventKind::kAttemptFailed;
  event.attempt = attempt;
  event.failure = Failure::kConfig;
  event.step = run->step;
  event.message = std::string(status.message());
  if (absl::StatusOr<Applied> applied = Apply(id, event); !applied.ok()) {
    LogError("run ", id, ": ", applied.status().message());
    // The next Tick asks for the orders again.
    Watch& watch = watches_[id];
    watch.sent.clear();
    watch.wake = clock_.SinceStart() + kStoreRetry;
  }
}

// What the run's nodes are to do now: ranks that are done and do not leave are made to, after a while.
Order Reconciler::OrderFor(const Run& run, Watch& watch) const {
  const Order want = Wanted(run);
  const bool leaving = run.live() && run.state == RunState::kDraining && run.completed;
  if (!leaving || want != Order::kNone) return want;
  const absl::Duration due = watch.entered + kLeaveTime;
  if (clock_.SinceStart() >= due) return Order::kStop;
  watch.wake = std::min(watch.wake, due);
  return want;
}

void Reconciler::GiveOrders(const Run& run, Watch& watch) {
  const Order want = OrderFor(run, watch);
  for (const Placement::Node& node : run.placement.nodes) {
    if (node.gone) continue;
    if (!world_.Attached(node.name)) {
      watch.waits_for = absl::StrCat("node ", node.name, ", which is away");
      continue;
    }
    Order& sent = watch.sent[node.name];
    if (want == Order::kNone || want == sent) continue;
    sent = want;
    world_.Send(run, node.name, want);
  }
}

// The node is there again: what it holds of the run is known, and what it was told may be lost.
void Reconciler::FindGone(const std::string& id, const std::string& node, const LivingAttempts& living) {
  absl::StatusOr<Run> run = store_.Get(id);
  if (!run.ok() || !run->placement.LivesOn(node)) return;
  Watch& watch = watches_[id];
  if (watch.sent_attempt != run->attempt) watch.sent.clear();
  watch.sent_attempt = run->attempt;
  const bool lives = living.contains({id, run->attempt});
  watch.sent[node] = lives && Wanted(*run) == Order::kRun ? Order::kRun : Order::kNone;
  // An attempt whose ranks were never seen to train may not have reached the node: it gets its order again.
  if (lives || run->state == RunState::kLaunching) return;
  Event gone;
  gone.kind = EventKind::kAttemptGone;
  gone.attempt = run->attempt;
  gone.node = node;
  gone.step = world_.LastStep(*run);
  if (absl::StatusOr<Applied> applied = Apply(id, gone); !applied.ok()) {
    LogError("run ", id, ": ", applied.status().message());
  }
}

void Reconciler::NodeAttached(const std::string& node, const LivingAttempts& living) {
  std::vector<std::string> ids;
  for (const auto& [id, watch] : watches_) ids.push_back(id);
  for (const std::string& id : ids) FindGone(id, node, living);
  for (const auto& [id, attempt] : living) {
    absl::StatusOr<Run> run = store_.Get(id);
    if (!run.ok() || run->attempt != attempt || !run->placement.LivesOn(node)) {
      world_.StopStray(node, id, attempt);
    }
  }
  Tick();
}

void Reconciler::NodeDetached(const std::string& node) {
  for (auto& [id, watch] : watches_) {
    absl::StatusOr<Run> run = store_.Get(id);
    if (!run.ok() || !run->placement.LivesOn(node)) continue;
    watch.sent[node] = Order::kNone;
    watch.waits_for = absl::StrCat("node ", node, ", which is away");
  }
}

void Reconciler::Tick() {
  std::vector<std::string> ids;
  for (const auto& [id, watch] : watches_) ids.push_back(id);
  for (const std::string& id : ids) {
    if (!watches_.count(id)) continue;
    absl::StatusOr<Run> run = store_.Get(id);
    if (run.ok()) {
      Settle(*std::move(run));
    } else {
      LogError("run ", id, ": ", run.status().message());
    }
  }
}

absl::Duration Reconciler::NextWake() const {
  absl::Duration wake = absl::InfiniteDuration();
  for (const auto& [id, watch] : watches_) wake = std::min(wake, watch.wake);
  return wake == absl::InfiniteDuration() ? wake : std::max(absl::ZeroDuration(), wake - clock_.SinceStart());
}

std::string Reconciler::Next(const Run& run) const {
  const auto found = watches_.find(run.id);
  if (found != watches_.end() && !found->second.waits_for.empty()) {
    return absl::StrCat("waits for ", found->second.waits_for);
  }
  switch (run.state) {
    case RunState::kAccepted:
    case RunState::kQueued:
      return "waits for a node";
    case RunState::kLaunching:
      return "ranks load and meet";
    case RunState::kRunning:
      return absl::StrCat("trains to step ", run.plan.total_steps);
    case RunState::kDraining:
      return run.completed ? "ranks leave" : "ranks save and leave";
    case RunState::kRecovering:
      return absl::StrCat("attempt ", run.attempt + 1, " starts");
    case RunState::kPaused:
    case RunState::kHeld:
      return absl::StrCat("waits for: trainctl resume ", run.id);
    default:  // of a cancelled one ranks may still be there
      return run.live() ? "ranks leave" : "";
  }
}

}  // namespace galley::service
