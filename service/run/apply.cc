#include "service/run/apply.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "service/run/consequence.h"

namespace galley::service {
namespace {

// One application: a copy of the run that is moved, and what to say of it.
struct Move {
  Run run;
  std::string message;
  bool changed = true;
};

void Enter(Move& m, RunState state, std::string reason) {
  m.run.state = state;
  m.run.reason = std::move(reason);
}

// Names the remedy for what a human must act on.
std::string HoldReason(const Event& event, const Run& run) {
  switch (event.failure) {
    case Failure::kNumeric:
      return absl::StrCat(event.message.empty()
                              ? absl::StrCat("loss or gradient norm not finite at step ", event.step)
                              : event.message,
                          "; resume from an earlier checkpoint, or submit a changed recipe");
    case Failure::kStorageFull:
      return absl::StrCat(event.message, "; free some space, then resume");
    case Failure::kConfig:
      return event.message;
    default:
      return absl::StrCat(run.failures, " failures without progress; the last: ", event.message);
  }
}

void TakeLosses(Run& run, const Event& event) {
  if (event.loss) run.loss = event.loss;
  if (event.validation_loss) run.validation_loss = event.validation_loss;
}

// Ranks that are killed because somebody said "now", or that die with nothing left to do, are no failure.
bool DeathIsNoFailure(const Run& run) {
  return run.state == RunState::kDraining &&
         (run.completed || run.stop == StopCause::kCancelNow || run.stop == StopCause::kPauseNow);
}

// What follows from a failure that the run goes on after, or is held by. `better`: this witness is believed
// from now on.
void Recover(Move& m, const Event& event, bool better) {
  Run& run = m.run;
  if (Of(event.failure).budget == Budget::kHold || run.failures >= run.plan.max_failures) {
    if (better || run.state != RunState::kHeld) Enter(m, RunState::kHeld, HoldReason(event, run));
    return;
  }
  run.backoff_ms = absl::ToInt64Milliseconds(Backoff(run.failures));
  if (run.state == RunState::kHeld) return;
  if (better || run.state != RunState::kRecovering) Enter(m, RunState::kRecovering, event.message);
}

void Fail(Move& m, const Event& event) {
  Run& run = m.run;
  m.message = event.message;
  const bool first = run.failure == Failure::kNone;
  const bool better = Of(event.failure).weight > Of(run.failure).weight;
  if (DeathIsNoFailure(run) || (!first && !better && event.step <= run.best_step)) {
    m.changed = false;
    return;
  }
  const bool progress = event.step > run.best_step || run.last_checkpoint_step > run.checkpoint_at_failure;
  run.best_step = std::max(run.best_step, event.step);
  run.step = std::max(run.step, event.step);
  TakeLosses(run, event);
  if (better) run.failure = event.failure;
  if (run.state == RunState::kDraining) {
    if (better) run.reason = event.message;
    return;
  }
  if (first && Of(event.failure).budget == Budget::kCounts) {
    run.failures = progress ? 0 : run.failures + 1;
    run.checkpoint_at_failure = run.last_checkpoint_step;
  }
  Recover(m, event, better);
}

// The state of a run whose ranks have all left because they were asked to, or were done.
void FinishDrain(Move& m, const Event& event) {
  Run& run = m.run;
  const std::string why = run.reason;
  const bool saved = run.failure == Failure::kNone;
  if (run.completed) {
    Enter(m, RunState::kSucceeded, "");
  } else if (run.stop >= StopCause::kCancel) {
    Enter(m, RunState::kCancelled, saved ? "" : absl::StrCat("without a final save: ", why));
  } else if (Of(run.failure).budget == Budget::kHold) {
    Event last = event;
    last.failure = run.failure;
    last.step = run.step;
    last.message = why;
    Enter(m, RunState::kHeld, HoldReason(last, run));
  } else if (!saved || run.stop == StopCause::kPauseNow) {
    Enter(m, RunState::kPaused,
          absl::StrCat("stopped without a save", why.empty() ? "" : absl::StrCat(" (", why, ")"),
                       "; goes on from step ", run.last_checkpoint_step));
  } else {
    Enter(m, RunState::kPaused, run.stop == StopCause::kExitDuration ? "limits.exit_duration is over" : "");
  }
}

void Lose(Move& m, const Event& event, std::string message) {
  Event lost = event;
  lost.failure = Failure::kLost;
  lost.step = std::max(event.step, m.run.step);
  if (lost.message.empty()) lost.message = std::move(message);
  Fail(m, lost);
}

// The ranks of one of several nodes are gone. Once they trained they may have been done before the others;
// the reconciler gives those a while. Before, they cannot.
void GoneInPart(Move& m, const Event& event) {
  m.message = absl::StrCat("no rank of attempt ", m.run.attempt, " is left on ", event.node);
  if (m.run.state == RunState::kLaunching) {
    Lose(m, event,
         absl::StrCat("the ranks of attempt ", m.run.attempt, " on ", event.node,
                      " ended and left no record"));
  }
}

// No rank lives any more on event.node; on any node, where it names none.
void Gone(Move& m, const Event& event) {
  Run& run = m.run;
  bool news = false;
  for (Placement::Node& node : run.placement.nodes) {
    if (!event.node.empty() && node.name != event.node) continue;
    news = news || !node.gone;
    node.gone = true;
  }
  if (!news) {
    m.changed = false;
    return;
  }
  if (run.live()) {
    GoneInPart(m, event);
    return;
  }
  m.message =
      event.message.empty() ? absl::StrCat("no rank of attempt ", run.attempt, " is left") : event.message;
  if (run.state == RunState::kLaunching || run.state == RunState::kRunning) {
    Lose(m, event, absl::StrCat("the ranks of attempt ", run.attempt, " ended and left no record"));
  } else if (run.state == RunState::kDraining) {
    FinishDrain(m, event);
  }
}

absl::Status Conflict(const Run& run, absl::string_view what) {
  std::string remedy;
  if (run.state == RunState::kDraining) {
    remedy = "; wait until its ranks have left";
  } else if (IsFinal(run.state)) {
    remedy = "; a run that ended stays so: submit its recipe again with --from-checkpoint to go on";
  }
  return absl::FailedPreconditionError(absl::StrCat("run ", run.id, " (", run.name, ") is ", Name(run.state),
                                                    " and cannot be ", what, remedy));
}

bool HasRanks(RunState state) {
  return state == RunState::kLaunching || state == RunState::kRunning || state == RunState::kDraining;
}

absl::Status Stop(Move& m, const Event& event, bool cancel) {
  Run& run = m.run;
  const RunState done = cancel ? RunState::kCancelled : RunState::kPaused;
  if (run.state == done) {
    m.changed = false;
    return absl::OkStatus();
  }
  if (!Possible(run.state, event.kind)) return Conflict(run, cancel ? "cancelled" : "paused");
  m.message = event.message;
  if (HasRanks(run.state)) {
    if (run.state == RunState::kDraining && event.cause <= run.stop) {
      if (!cancel && run.stop >= StopCause::kCancel) return Conflict(run, "paused: it is being cancelled");
      m.changed = false;
      return absl::OkStatus();
    }
    run.stop = event.cause;
    Enter(m, RunState::kDraining, event.message);
  } else {
    run.stop = event.cause;
    Enter(m, done, "");
  }
  return absl::OkStatus();
}

absl::Status Resume(Move& m, const Event& event) {
  Run& run = m.run;
  if (!Possible(run.state, event.kind)) return Conflict(run, "resumed");
  if (!event.path.empty()) run.next_base = event.path;
  run.stop = StopCause::kNone;
  run.failures = 0;
  run.backoff_ms = 0;
  run.best_step = 0;
  run.checkpoint_at_failure = run.last_checkpoint_step;
  run.session_unix_ms = 0;
  m.message = event.message;
  Enter(m, RunState::kQueued, "");
  return absl::OkStatus();
}

void Plan(Move& m, const Event& event, absl::Time now) {
  Run& run = m.run;
  if (run.live()) {
    m.changed = false;
    return;
  }
  run.attempt = event.attempt;
  run.placement = event.placement;
  run.base_checkpoint = event.path;
  run.completed = false;
  run.failure = Failure::kNone;
  run.step = event.step;
  if (run.session_unix_ms == 0) run.session_unix_ms = absl::ToUnixMillis(now);
  m.message = absl::StrCat("attempt ", event.attempt, " on ", event.placement.Names(),
                           event.path.empty() ? " from the beginning" : absl::StrCat(" from ", event.path));
  Enter(m, RunState::kLaunching, "");
}

void Checkpoint(Move& m, const Event& event) {
  Run& run = m.run;
  if (event.path == run.last_checkpoint_path && event.step == run.last_checkpoint_step) {
    m.changed = false;
    return;
  }
  run.last_checkpoint_step = event.step;
  run.last_checkpoint_path = event.path;
  run.next_base.clear();
  run.step = std::max(run.step, event.step);
  TakeLosses(run, event);
  m.message = event.message.empty() ? absl::StrCat("checkpoint of step ", event.step) : event.message;
}

void Training(Move& m, const Event& event) {
  m.run.step = event.step;
  if (m.run.state == RunState::kLaunching) Enter(m, RunState::kRunning, "");
}

void Complete(Move& m, const Event& event) {
  Run& run = m.run;
  if (run.completed) {
    m.changed = false;
    return;
  }
  run.completed = true;
  run.step = event.step;
  TakeLosses(run, event);
  run.stop = std::max(run.stop, StopCause::kFinished);
  Enter(m, RunState::kDraining, "the last step is done; ranks are leaving");
}

void Drained(Move& m, const Event& event) {
  Run& run = m.run;
  if (run.state != RunState::kDraining) {  // asked by the machine, not by us
    Event preempted = event;
    preempted.failure = Failure::kPreempted;
    Fail(m, preempted);
    return;
  }
  if (event.step == run.step && event.loss == run.loss) m.changed = false;
  run.step = std::max(run.step, event.step);
  TakeLosses(run, event);
}

// What is seen of an attempt, and what it does.
struct Observation {
  EventKind kind;
  void (*handle)(Move&, const Event&);
};
constexpr Observation kObservations[] = {
    {EventKind::kTraining, Training}, {EventKind::kCheckpoint, Checkpoint}, {EventKind::kCompleted, Complete},
    {EventKind::kDrained, Drained},   {EventKind::kAttemptFailed, Fail},    {EventKind::kAttemptGone, Gone},
};

const Observation* FindObservation(EventKind kind) {
  const auto found = std::find_if(std::begin(kObservations), std::end(kObservations),
                                  [&](const Observation& o) { return o.kind == kind; });
  return found == std::end(kObservations) ? nullptr : found;
}

void Observe(Move& m, const Observation& observation, const Event& event) {
  // Fencing: an attempt that was overtaken, or whose ranks are known to be gone, moves nothing.
  if (event.attempt != m.run.attempt || !m.run.live() || !Possible(m.run.state, event.kind)) {
    m.changed = false;
    return;
  }
  m.message = event.message;
  observation.handle(m, event);
}

absl::Status MoveBy(Move& m, const Event& event, absl::Time now) {
  Run& run = m.run;
  if (const Observation* observation = FindObservation(event.kind)) {
    Observe(m, *observation, event);
    return absl::OkStatus();
  }
  switch (event.kind) {
    case EventKind::kPauseRequested:
      return Stop(m, event, /*cancel=*/false);
    case EventKind::kCancelRequested:
      return Stop(m, event, /*cancel=*/true);
    case EventKind::kResumeRequested:
      return Resume(m, event);
    case EventKind::kNoted:
      m.message = event.message;
      return absl::OkStatus();
    default:
      break;
  }
  // The reconciler's own decisions; one that was overtaken by another event is dropped.
  const bool planned = event.kind == EventKind::kAttemptPlanned;
  if (!Possible(run.state, event.kind) || (planned && event.attempt != run.attempt + 1)) {
    m.changed = false;
    return absl::OkStatus();
  }
  m.message = event.message;
  if (planned) {
    Plan(m, event, now);
  } else if (event.kind == EventKind::kAdmitted) {
    Enter(m, RunState::kQueued, "");
  } else if (event.kind == EventKind::kBlocked) {
    Enter(m, RunState::kHeld, event.message);
  } else if (event.kind == EventKind::kUnlaunchable) {
    Enter(m, RunState::kFailed, event.message);
  } else {
    CHECK(false) << Name(event.kind) << " is made by Store::Create alone";
  }
  return absl::OkStatus();
}

}  // namespace

absl::Duration Backoff(int64_t failures) {
  const int64_t doublings = std::clamp<int64_t>(failures - 1, 0, 6);
  return absl::Seconds(std::min<int64_t>(int64_t{1} << doublings, 60));
}

absl::StatusOr<Applied> Apply(const Run& run, const Event& event, absl::Time now) {
  Move m{.run = run, .message = "", .changed = true};
  if (absl::Status status = MoveBy(m, event, now); !status.ok()) return status;
  Applied result;
  result.changed = m.changed;
  if (!m.changed) {
    result.run = run;
    return result;
  }
  CHECK(event.kind == EventKind::kNoted ? m.run.state == run.state
                                        : Allowed(run.state, event.kind, m.run.state))
      << Name(run.state) << " -" << Name(event.kind) << "-> " << Name(m.run.state);
  CHECK_GE(m.run.attempt, run.attempt);
  const int64_t now_ms = absl::ToUnixMillis(now);
  if (IsStopped(m.run.state) && !IsStopped(run.state) && m.run.session_unix_ms != 0) {
    m.run.active_ms += std::max<int64_t>(0, now_ms - m.run.session_unix_ms);
    m.run.session_unix_ms = 0;
  }
  m.run.updated_unix_ms = now_ms;
  m.run.event_seq = run.event_seq + 1;
  result.record = {.seq = m.run.event_seq,
                   .unix_ms = now_ms,
                   .kind = event.kind,
                   .attempt = m.run.attempt,
                   .from = run.state,
                   .to = m.run.state,
                   .message = std::move(m.message)};
  result.run = std::move(m.run);
  return result;
}

}  // namespace galley::service
