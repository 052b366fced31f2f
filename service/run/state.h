// The states of a run and the table of its transitions: the whole of what may happen to a run, in one place.
// Meanings for users: docs/service.md.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace galley::service {

enum class RunState {
  kAccepted,    // stored and checked
  kQueued,      // waits for a node
  kLaunching,   // an attempt forms: ranks are spawned, load, meet
  kRunning,     // takes steps
  kDraining,    // ends on purpose: finished, pause or cancel; ranks are leaving
  kRecovering,  // an attempt failed: its ranks are stopped, then back-off
  kPaused,      // stopped on purpose; resume goes on
  kHeld,        // needs a human; resume tries again
  kSucceeded,   // final
  kFailed,      // final: it can never go on, whoever looks at it
  kCancelled,   // final
};
inline constexpr int kRunStates = 11;

enum class EventKind {
  kSubmitted,       // makes the run
  kAdmitted,        // may use the machine
  kAttemptPlanned,  // a new attempt number, placement and base checkpoint: durable before any rank is spawned
  kTraining,        // the attempt has loaded and begins to step
  kCheckpoint,      // a checkpoint was committed
  kCompleted,       // the last step is done and saved
  kDrained,         // ranks stopped because something asked them to
  kAttemptFailed,   // evidence of a failure: exit, hang, NaN, refusal
  kAttemptGone,     // no rank of the attempt lives any more on a node
  kPauseRequested,  // by a user, or by limits.exit_duration
  kCancelRequested,  // by a user
  kResumeRequested,  // of PAUSED or HELD
  kBlocked,          // no attempt can be planned until a human acts
  kUnlaunchable,     // the run directory is gone: no attempt can ever start again
  kNoted,            // for people: moves nothing
};
inline constexpr int kEventKinds = 15;

struct Transition {
  RunState from;
  EventKind event;
  RunState to;
};

namespace transitions {
using enum RunState;
using enum EventKind;
// Where one (state, event) has several rows, Apply chooses by the run's counters and causes; it may never end
// in a state that is not listed. Rows that keep the state are listed too.
inline constexpr Transition kTable[] = {
    {kAccepted, kAdmitted, kQueued},
    {kAccepted, kPauseRequested, kPaused},
    {kAccepted, kCancelRequested, kCancelled},

    {kQueued, kAttemptPlanned, kLaunching},
    {kQueued, kPauseRequested, kPaused},
    {kQueued, kCancelRequested, kCancelled},
    {kQueued, kAttemptGone, kQueued},  // resumed while the last ranks of the old attempt were leaving
    {kQueued, kBlocked, kHeld},
    {kQueued, kUnlaunchable, kFailed},

    {kLaunching, kTraining, kRunning},
    {kLaunching, kCheckpoint, kLaunching},
    {kLaunching, kCompleted, kDraining},
    {kLaunching, kDrained, kRecovering},
    {kLaunching, kAttemptFailed, kRecovering},
    {kLaunching, kAttemptFailed, kHeld},
    {kLaunching, kAttemptGone, kRecovering},
    {kLaunching, kAttemptGone, kHeld},
    {kLaunching, kPauseRequested, kDraining},
    {kLaunching, kCancelRequested, kDraining},

    {kRunning, kCheckpoint, kRunning},
    {kRunning, kCompleted, kDraining},
    {kRunning, kDrained, kRecovering},  // stopped from outside, as a machine's shutdown does: no failure
    {kRunning, kAttemptFailed, kRecovering},
    {kRunning, kAttemptFailed, kHeld},
    {kRunning, kAttemptGone, kRunning},  // of one of several nodes: its ranks may have been done first
    {kRunning, kAttemptGone, kRecovering},
    {kRunning, kAttemptGone, kHeld},
    {kRunning, kPauseRequested, kDraining},
    {kRunning, kCancelRequested, kDraining},

    {kDraining, kTraining, kDraining},
    {kDraining, kCheckpoint, kDraining},
    {kDraining, kCompleted, kDraining},
    {kDraining, kDrained, kDraining},
    {kDraining, kAttemptFailed, kDraining},
    {kDraining, kPauseRequested, kDraining},   // pause --now after pause
    {kDraining, kCancelRequested, kDraining},  // a pause becomes a cancel, a cancel becomes cancel --now
    {kDraining, kAttemptGone, kDraining},      // of one of several nodes
    {kDraining, kAttemptGone, kSucceeded},
    {kDraining, kAttemptGone, kPaused},
    {kDraining, kAttemptGone, kCancelled},
    {kDraining, kAttemptGone, kHeld},

    {kRecovering, kAttemptFailed, kRecovering},
    {kRecovering, kAttemptFailed, kHeld},  // better evidence came second
    {kRecovering, kAttemptGone, kRecovering},
    {kRecovering, kCheckpoint, kRecovering},
    {kRecovering, kCompleted, kDraining},  // a rank died after the last checkpoint was committed
    {kRecovering, kAttemptPlanned, kLaunching},
    {kRecovering, kPauseRequested, kPaused},
    {kRecovering, kCancelRequested, kCancelled},
    {kRecovering, kBlocked, kHeld},
    {kRecovering, kUnlaunchable, kFailed},

    {kPaused, kAttemptGone, kPaused},
    {kPaused, kResumeRequested, kQueued},
    {kPaused, kCancelRequested, kCancelled},

    {kHeld, kAttemptGone, kHeld},
    {kHeld, kAttemptFailed, kHeld},
    {kHeld, kCheckpoint, kHeld},
    {kHeld, kResumeRequested, kQueued},
    {kHeld, kCancelRequested, kCancelled},

    {kCancelled, kAttemptGone, kCancelled},
};
}  // namespace transitions

constexpr bool Allowed(RunState from, EventKind event, RunState to) {
  for (const Transition& t : transitions::kTable) {
    if (t.from == from && t.event == event && t.to == to) return true;
  }
  return false;
}
// Whether the event can happen at all in this state.
constexpr bool Possible(RunState from, EventKind event) {
  for (const Transition& t : transitions::kTable) {
    if (t.from == from && t.event == event) return true;
  }
  return false;
}
constexpr bool IsFinal(RunState s) {
  return s == RunState::kSucceeded || s == RunState::kFailed || s == RunState::kCancelled;
}
// Stands still until somebody asks for more.
constexpr bool IsStopped(RunState s) { return IsFinal(s) || s == RunState::kPaused || s == RunState::kHeld; }

constexpr bool FinalStatesAreLeftByNothing() {
  for (const Transition& t : transitions::kTable) {
    if (IsFinal(t.from) && t.to != t.from) return false;
  }
  return true;
}
static_assert(FinalStatesAreLeftByNothing());
static_assert(!Possible(RunState::kFailed, EventKind::kAttemptPlanned));
static_assert(!Allowed(RunState::kRunning, EventKind::kAttemptGone, RunState::kQueued));
static_assert(!Possible(RunState::kRunning, EventKind::kAttemptPlanned));  // one attempt at a time
static_assert(!Possible(RunState::kDraining, EventKind::kResumeRequested));

absl::string_view Name(RunState state);  // "RUNNING"
absl::string_view Name(EventKind kind);  // "attempt_failed"
bool ParseState(absl::string_view name, RunState* state);
bool ParseKind(absl::string_view name, EventKind* kind);

}  // namespace galley::service
