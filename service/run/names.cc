// Names of the enumerations, as they are stored and shown.
#include <iterator>

#include "service/run/event.h"
#include "service/run/state.h"

namespace galley::service {
namespace {

constexpr absl::string_view kStateNames[] = {"ACCEPTED",  "QUEUED",     "LAUNCHING", "RUNNING",
                                             "DRAINING",  "RECOVERING", "PAUSED",    "HELD",
                                             "SUCCEEDED", "FAILED",     "CANCELLED"};
constexpr absl::string_view kKindNames[] = {
    "submitted",        "admitted",         "attempt_planned", "training",     "checkpoint",
    "completed",        "drained",          "attempt_failed",  "attempt_gone", "pause_requested",
    "cancel_requested", "resume_requested", "blocked",         "unlaunchable", "noted"};
constexpr absl::string_view kFailureNames[] = {"none",         "rank_crash", "hang",    "lost",
                                               "peer_lost",    "internal",   "numeric", "config",
                                               "storage_full", "preempted"};
constexpr absl::string_view kCauseNames[] = {"none",      "finished", "exit_duration", "pause",
                                             "pause_now", "cancel",   "cancel_now"};
static_assert(std::size(kStateNames) == kRunStates);
static_assert(std::size(kKindNames) == kEventKinds);
static_assert(std::size(kFailureNames) == kFailures);
static_assert(std::size(kCauseNames) == kStopCauses);

template <class E, size_t N>
bool Parse(const absl::string_view (&names)[N], absl::string_view name, E* value) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) {
      *value = static_cast<E>(i);
      return true;
    }
  }
  return false;
}

}  // namespace

absl::string_view Name(RunState state) { return kStateNames[static_cast<int>(state)]; }
absl::string_view Name(EventKind kind) { return kKindNames[static_cast<int>(kind)]; }
absl::string_view Name(Failure failure) { return kFailureNames[static_cast<int>(failure)]; }
absl::string_view Name(StopCause cause) { return kCauseNames[static_cast<int>(cause)]; }
bool ParseState(absl::string_view name, RunState* state) { return Parse(kStateNames, name, state); }
bool ParseKind(absl::string_view name, EventKind* kind) { return Parse(kKindNames, name, kind); }
bool ParseFailure(absl::string_view name, Failure* failure) { return Parse(kFailureNames, name, failure); }
bool ParseCause(absl::string_view name, StopCause* cause) { return Parse(kCauseNames, name, cause); }

}  // namespace galley::service
