// The enumerations of a run as messages. run.proto has their names; their order here is the same, less the
// value that says nothing.
#pragma once

#include "galley/v1/run.pb.h"
#include "service/run/event.h"
#include "service/run/state.h"

namespace galley::service {

constexpr v1::RunState::Value ToMessage(RunState state) {
  return static_cast<v1::RunState::Value>(static_cast<int>(state) + 1);
}
constexpr v1::EventKind::Value ToMessage(EventKind kind) {
  return static_cast<v1::EventKind::Value>(static_cast<int>(kind) + 1);
}
constexpr v1::StopCause::Value ToMessage(StopCause cause) {
  return static_cast<v1::StopCause::Value>(static_cast<int>(cause));
}

static_assert(ToMessage(RunState::kAccepted) == v1::RunState::ACCEPTED);
static_assert(ToMessage(RunState::kCancelled) == v1::RunState::CANCELLED);
static_assert(kRunStates == v1::RunState::Value_ARRAYSIZE - 1);
static_assert(ToMessage(EventKind::kSubmitted) == v1::EventKind::SUBMITTED);
static_assert(ToMessage(EventKind::kNoted) == v1::EventKind::NOTED);
static_assert(kEventKinds == v1::EventKind::Value_ARRAYSIZE - 1);
static_assert(ToMessage(StopCause::kNone) == v1::StopCause::NONE);
static_assert(ToMessage(StopCause::kCancelNow) == v1::StopCause::CANCEL_NOW);
static_assert(kStopCauses == v1::StopCause::Value_ARRAYSIZE);

}  // namespace galley::service
