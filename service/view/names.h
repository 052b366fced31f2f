// The names that people and scripts see of what run.proto enumerates: states in upper case, the rest in
// lower. Of what is not said, and of no stop cause, the name is empty.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "galley/v1/node.pb.h"
#include "galley/v1/rank.pb.h"
#include "galley/v1/run.pb.h"

namespace galley::view {

std::string NameOf(v1::RunState::Value state);
std::string NameOf(v1::EventKind::Value kind);
std::string NameOf(v1::StopCause::Value cause);
std::string NameOf(v1::NodeState::Value state);
std::string NameOf(v1::ProcessorKind::Value kind);
std::string NameOf(v1::Phase::Value phase);
std::string NameOf(v1::NoticeKind::Value kind);
std::string NameOf(v1::CheckpointState::Value state);

// The value of a name; what is not said where no value has it.
v1::RunState::Value StateNamed(absl::string_view name);
v1::EventKind::Value KindNamed(absl::string_view name);
v1::StopCause::Value CauseNamed(absl::string_view name);

// What the message says as a value or, of an older version, as its name.
v1::Phase::Value PhaseOf(const v1::Heartbeat& beat);
v1::Phase::Value PhaseOf(const v1::RankHung& hung);
v1::NoticeKind::Value KindOf(const v1::Notice& notice);

std::vector<std::string> StateNames();

// Succeeded, failed or cancelled: it can never go on.
bool IsOver(v1::RunState::Value state);
// Paused or held: resume goes on.
bool IsWaiting(v1::RunState::Value state);

}  // namespace galley::view
