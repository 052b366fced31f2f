#include "service/view/names.h"

#include "absl/strings/ascii.h"

namespace galley::view {
namespace {

v1::Phase::Value PhaseOf(v1::Phase::Value phase, const std::string& older) {
  if (phase == v1::Phase::UNKNOWN) v1::Phase::Value_Parse(absl::AsciiStrToUpper(older), &phase);
  return phase;
}

}  // namespace

std::string NameOf(v1::RunState::Value state) {
  return state == v1::RunState::UNKNOWN ? "" : v1::RunState::Value_Name(state);
}

std::string NameOf(v1::EventKind::Value kind) {
  return kind == v1::EventKind::UNKNOWN ? "" : absl::AsciiStrToLower(v1::EventKind::Value_Name(kind));
}

std::string NameOf(v1::StopCause::Value cause) {
  return cause == v1::StopCause::NONE ? "" : absl::AsciiStrToLower(v1::StopCause::Value_Name(cause));
}

std::string NameOf(v1::NodeState::Value state) {
  return state == v1::NodeState::UNKNOWN ? "" : v1::NodeState::Value_Name(state);
}

std::string NameOf(v1::ProcessorKind::Value kind) {
  return kind == v1::ProcessorKind::UNKNOWN ? "" : absl::AsciiStrToLower(v1::ProcessorKind::Value_Name(kind));
}

std::string NameOf(v1::Phase::Value phase) {
  return phase == v1::Phase::UNKNOWN ? "" : absl::AsciiStrToLower(v1::Phase::Value_Name(phase));
}

std::string NameOf(v1::NoticeKind::Value kind) {
  return kind == v1::NoticeKind::UNKNOWN ? "" : absl::AsciiStrToLower(v1::NoticeKind::Value_Name(kind));
}

std::string NameOf(v1::CheckpointState::Value state) {
  return state == v1::CheckpointState::UNKNOWN ? "" : v1::CheckpointState::Value_Name(state);
}

v1::RunState::Value StateNamed(absl::string_view name) {
  v1::RunState::Value value = v1::RunState::UNKNOWN;
  v1::RunState::Value_Parse(std::string(name), &value);
  return value;
}

v1::EventKind::Value KindNamed(absl::string_view name) {
  v1::EventKind::Value value = v1::EventKind::UNKNOWN;
  v1::EventKind::Value_Parse(absl::AsciiStrToUpper(name), &value);
  return value;
}

v1::StopCause::Value CauseNamed(absl::string_view name) {
  v1::StopCause::Value value = v1::StopCause::NONE;
  v1::StopCause::Value_Parse(absl::AsciiStrToUpper(name), &value);
  return value;
}

v1::Phase::Value PhaseOf(const v1::Heartbeat& beat) { return PhaseOf(beat.phase(), beat.older_phase()); }
v1::Phase::Value PhaseOf(const v1::RankHung& hung) { return PhaseOf(hung.phase(), hung.older_phase()); }

v1::NoticeKind::Value KindOf(const v1::Notice& notice) {
  v1::NoticeKind::Value kind = notice.kind();
  if (kind == v1::NoticeKind::UNKNOWN) {
    v1::NoticeKind::Value_Parse(absl::AsciiStrToUpper(notice.older_kind()), &kind);
  }
  return kind;
}

std::vector<std::string> StateNames() {
  std::vector<std::string> names;
  for (int i = v1::RunState::UNKNOWN + 1; i < v1::RunState::Value_ARRAYSIZE; ++i) {
    names.push_back(NameOf(static_cast<v1::RunState::Value>(i)));
  }
  return names;
}

bool IsOver(v1::RunState::Value state) {
  return state == v1::RunState::SUCCEEDED || state == v1::RunState::FAILED ||
         state == v1::RunState::CANCELLED;
}

bool IsWaiting(v1::RunState::Value state) {
  return state == v1::RunState::PAUSED || state == v1::RunState::HELD;
}

}  // namespace galley::view
