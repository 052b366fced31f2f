#include "service/run/reconciler.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"

namespace galley::service {
namespace {

constexpr absl::Duration kLeaveTime = absl::Seconds(60);  // for ranks that are done
constexpr absl::Duration kStoreRetry = absl::Seconds(1);  // after the store failed (a full disk)
constexpr absl::Duration kPlaceRetry = absl::Seconds(5);  // capacity may appear without an event

bool IsOver(const Run& run) { return IsFinal(run.state) && !run.live; }

bool WantsAttempt(RunState state) { return state == RunState::kQueued || state == RunState::kRecovering; }

}  // namespace

Order Wanted(const Run& run) {
  if (!run.live) return Order::kNone;
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
    watch.sent = Order::kNone;
  }
  watch.wake = absl::InfiniteDuration();
  watch.waits_for.clear();
}

// Moves the run as far as it goes now, then gives its node the order that fits.
void Reconciler::Settle(Run run) {
  while (true) {
    Watch& watch = watches_[run.id];
    Note(run, watch);
    Event event;
    if (!Decide(run, watch, &event)) {
      GiveOrder(run, watch);
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
  if (run.exit_duration_seconds > 0 && watch.in_session && !IsStopped(run.state) &&
      run.state != RunState::kDraining) {
    const absl::Duration due = watch.session_start + absl::Seconds(run.exit_duration_seconds);
    if (now >= due) {
      event->kind = EventKind::kPauseRequested;
      event->cause = StopCause::kExitDuration;
      event->message = "limits.exit_duration is over";
      return true;
    }
    watch.wake = std::min(watch.wake, due);
  }
  return false;
}

void Reconciler::TryPlace(const Run& run, Watch& watch) {
  const absl::Duration now = clock_.SinceStart();
  if (run.live) {
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
  absl::StatusOr<std::string> node = world_.Place(run);
  if (absl::IsFailedPrecondition(node.status())) {
    Event event;
    event.kind = EventKind::kBlocked;
    event.message = std::string(node.status().message());
    if (absl::StatusOr<Applied> applied = Apply(run.id, event); !applied.ok()) {
      LogError("run ", run.id, ": ", applied.status().message());
      watch.wake = now + kStoreRetry;
    }
    return;
  }
  if (!node.ok()) {
    watch.waits_for = std::string(node.status().message());
    watch.wake = std::min(watch.wake, now + kPlaceRetry);
    return;
  }
  watch.planning = true;
  watch.waits_for = "a checkpoint to be verified";
  world_.PlanAttempt(run, *node);
}

void Reconciler::Planned(const std::string& id, const std::string& node, absl::StatusOr<Base> base) {
  auto found = watches_.find(id);
  if (found == watches_.end()) return;
  found->second.planning = false;
  absl::StatusOr<Run> run = store_.Get(id);
  if (!run.ok()) {
    LogError("run ", id, ": ", run.status().message());
    return;
  }
  if (!WantsAttempt(run->state) || run->live) return;  // cancelled or paused meanwhile
  if (base.ok() && !world_.Attached(node)) {
    Settle(*std::move(run));
    return;
  }
  Event event;
  if (base.ok()) {
    if (!base->note.empty()) {
      Event note;
      note.message = base->note;
      StoreEvent(id, note)
          .status()
          .IgnoreError();  // it moves nothing; the plan itself is what must be stored
    }
    event.kind = EventKind::kAttemptPlanned;
    event.attempt = run->attempt + 1;
    event.node = node;
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

void Reconciler::GiveOrder(const Run& run, Watch& watch) {
  const absl::Duration now = clock_.SinceStart();
  Order want = Wanted(run);
  if (run.live && run.state == RunState::kDraining && run.completed && want == Order::kNone) {
    const absl::Duration due = watch.entered + kLeaveTime;
    if (now >= due) {
      want = Order::kStop;
    } else {
      watch.wake = std::min(watch.wake, due);
    }
  }
  if (run.live && !world_.Attached(run.node)) {
    watch.waits_for = absl::StrCat("node ", run.node, ", which is away");
    return;
  }
  if (want == Order::kNone || want == watch.sent) return;
  watch.sent = want;
  world_.Send(run, want);
}

void Reconciler::NodeAttached(const std::string& node, const LivingAttempts& living) {
  std::vector<std::string> ids;
  for (const auto& [id, watch] : watches_) ids.push_back(id);
  for (const std::string& id : ids) {
    absl::StatusOr<Run> run = store_.Get(id);
    if (!run.ok() || !run->live || run->node != node) continue;
    Watch& watch = watches_[id];
    watch.sent_attempt = run->attempt;
    watch.sent = Order::kNone;
    const bool lives = living.count({id, run->attempt}) > 0;
    if (lives && Wanted(*run) == Order::kRun) watch.sent = Order::kRun;
    // An attempt whose ranks were never seen to train may not have reached the node: it gets its order again.
    if (!lives && run->state != RunState::kLaunching) {
      Event gone;
      gone.kind = EventKind::kAttemptGone;
      gone.attempt = run->attempt;
      gone.step = world_.LastStep(*run);
      if (absl::StatusOr<Applied> applied = Apply(id, gone); !applied.ok()) {
        LogError("run ", id, ": ", applied.status().message());
      }
    }
  }
  for (const auto& [id, attempt] : living) {
    absl::StatusOr<Run> run = store_.Get(id);
    if (!run.ok() || run->attempt != attempt || !run->live || run->node != node) {
      world_.StopStranger(node, id, attempt);
    }
  }
  Tick();
}

void Reconciler::NodeDetached(const std::string& node) {
  for (auto& [id, watch] : watches_) {
    absl::StatusOr<Run> run = store_.Get(id);
    if (!run.ok() || run->node != node || !run->live) continue;
    watch.sent = Order::kNone;
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
      return absl::StrCat("trains to step ", run.total_steps);
    case RunState::kDraining:
      return run.completed ? "ranks leave" : "ranks save and leave";
    case RunState::kRecovering:
      return absl::StrCat("attempt ", run.attempt + 1, " starts");
    case RunState::kPaused:
    case RunState::kHeld:
      return absl::StrCat("waits for: trainctl resume ", run.id);
    default:
      return "";
  }
}

}  // namespace galley::service
