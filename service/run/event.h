// What happens to a run. An event is the only thing that moves one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "service/run/placement.h"
#include "service/run/state.h"

namespace galley::service {

// Why an attempt failed, and what follows (the table is in consequence.h).
enum class Failure {
  kNone,
  kRankCrash,  // exit status or signal
  kHang,       // no step for too long
  kLost,       // the ranks are gone and nobody saw how
  kPeerLost,   // a rank says that another one vanished: the other one's record is better evidence
  kInternal,   // a rank says so itself
  kNumeric,    // loss or gradient norm not finite
  kConfig,     // recipe, plan, data or checkpoint does not fit
  kStorageFull,
  kPreempted,  // stopped from outside; uses no budget
};
inline constexpr int kFailures = 10;
absl::string_view Name(Failure failure);  // "rank_crash"
bool ParseFailure(absl::string_view name, Failure* failure);

// Why ranks are asked to leave. Ordered: a later one overrules an earlier one.
enum class StopCause { kNone, kFinished, kExitDuration, kPause, kPauseNow, kCancel, kCancelNow };
inline constexpr int kStopCauses = 7;
absl::string_view Name(StopCause cause);  // "exit_duration"
bool ParseCause(absl::string_view name, StopCause* cause);

struct Event {
  EventKind kind = EventKind::kNoted;
  int64_t attempt = 0;                 // events about an attempt: which. Others: 0
  int64_t step = 0;                    // the last finished step, as far as the witness knows
  std::string message;                 // in words; empty where Apply has better ones
  Failure failure = Failure::kNone;    // kAttemptFailed
  StopCause cause = StopCause::kNone;  // kPauseRequested, kCancelRequested
  std::string path;                    // kCheckpoint: it. kAttemptPlanned, kResumeRequested: base checkpoint
  std::string node;                    // kAttemptGone: which node's ranks; empty: all. Others: the witness
  Placement placement;                 // kAttemptPlanned
  std::optional<double> loss;          // the last known ones
  std::optional<double> validation_loss;
};

// An event as it was stored.
struct EventRecord {
  int64_t seq = 0;  // dense from 1 within a run
  int64_t unix_ms = 0;
  EventKind kind = EventKind::kNoted;
  int64_t attempt = 0;  // of the run after the event
  RunState from = RunState::kAccepted;
  RunState to = RunState::kAccepted;
  std::string message;
};

}  // namespace galley::service
