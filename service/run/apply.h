// The one function that decides what an event does to a run. Pure: no clock, no disk, no random numbers.
// Starting and stopping ranks is the reconciler's work.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/run/event.h"
#include "service/run/run.h"

namespace galley::service {

struct Applied {
  Run run;
  EventRecord record;
  // False: a repeat, or news of an attempt that is over. The run is as it was and nothing is to be stored.
  bool changed = true;
};

// kFailedPrecondition when a request of a user cannot be met in this state (the message says what can).
// Observations never fail: what comes too late or twice is `changed == false`.
absl::StatusOr<Applied> Apply(const Run& run, const Event& event, absl::Time now);

// Back-off before the attempt after `failures` failures without progress: 1 s, 2 s, 4 s ... at most 60 s.
absl::Duration Backoff(int64_t failures);

}  // namespace galley::service
