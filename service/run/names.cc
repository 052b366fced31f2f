// Names of the enumerations, as they are stored and shown.
#include <array>
#include <iterator>
#include <string>

#include "absl/strings/ascii.h"
#include "service/run/messages.h"

namespace galley::service {
namespace {

// The messages' names, in lower case where `lower`.
template <class E, int N>
std::array<std::string, N> NamesOf(bool lower) {
  std::array<std::string, N> names;
  for (int i = 0; i < N; ++i) {
    const auto value = ToMessage(static_cast<E>(i));
    if constexpr (std::is_same_v<E, RunState>) {
      names[i] = v1::RunState::Value_Name(value);
    } else if constexpr (std::is_same_v<E, EventKind>) {
      names[i] = v1::EventKind::Value_Name(value);
    } else {
      names[i] = v1::StopCause::Value_Name(value);
    }
    if (lower) absl::AsciiStrToLower(&names[i]);
  }
  return names;
}

const auto& StateNames() {
  static const auto& names = *new auto(NamesOf<RunState, kRunStates>(/*lower=*/false));
  return names;
}
const auto& KindNames() {
  static const auto& names = *new auto(NamesOf<EventKind, kEventKinds>(/*lower=*/true));
  return names;
}
const auto& CauseNames() {
  static const auto& names = *new auto(NamesOf<StopCause, kStopCauses>(/*lower=*/true));
  return names;
}
constexpr absl::string_view kFailureNames[] = {"none",         "rank_crash", "hang",    "lost",
                                               "peer_lost",    "internal",   "numeric", "config",
                                               "storage_full", "preempted"};
static_assert(std::size(kFailureNames) == kFailures);

template <class E, class Names>
bool Parse(const Names& names, absl::string_view name, E* value) {
  for (size_t i = 0; i < std::size(names); ++i) {
    if (names[i] == name) {
      *value = static_cast<E>(i);
      return true;
    }
  }
  return false;
}

}  // namespace

absl::string_view Name(RunState state) { return StateNames()[static_cast<size_t>(state)]; }
absl::string_view Name(EventKind kind) { return KindNames()[static_cast<size_t>(kind)]; }
absl::string_view Name(Failure failure) { return kFailureNames[static_cast<size_t>(failure)]; }
absl::string_view Name(StopCause cause) { return CauseNames()[static_cast<size_t>(cause)]; }
bool ParseState(absl::string_view name, RunState* state) { return Parse(StateNames(), name, state); }
bool ParseKind(absl::string_view name, EventKind* kind) { return Parse(KindNames(), name, kind); }
bool ParseFailure(absl::string_view name, Failure* failure) { return Parse(kFailureNames, name, failure); }
bool ParseCause(absl::string_view name, StopCause* cause) { return Parse(CauseNames(), name, cause); }

}  // namespace galley::service
