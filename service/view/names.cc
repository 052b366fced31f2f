#include "service/view/names.h"

#include "absl/strings/ascii.h"

namespace galley::view {
namespace {

// Message: one of run.proto that holds an enumeration, whose first value is "not said".
template <class Message>
std::string Upper(typename Message::Value value) {
  return value == 0 ? "" : Message::Value_Name(value);
}

template <class Message>
std::string Lower(typename Message::Value value) {
  return absl::AsciiStrToLower(Upper<Message>(value));
}

template <class Message>
typename Message::Value Named(const std::string& upper) {
  typename Message::Value value{};
  Message::Value_Parse(upper, &value);
  return value;
}

// What is said as a value or, by an older version, as its name.
template <class Message>
typename Message::Value Said(typename Message::Value value, const std::string& older) {
  return value == 0 ? Named<Message>(absl::AsciiStrToUpper(older)) : value;
}

}  // namespace

std::string NameOf(v1::RunState::Value state) { return Upper<v1::RunState>(state); }
std::string NameOf(v1::EventKind::Value kind) { return Lower<v1::EventKind>(kind); }
std::string NameOf(v1::StopCause::Value cause) { return Lower<v1::StopCause>(cause); }
std::string NameOf(v1::NodeState::Value state) { return Upper<v1::NodeState>(state); }
std::string NameOf(v1::ProcessorKind::Value kind) { return Lower<v1::ProcessorKind>(kind); }
std::string NameOf(v1::Phase::Value phase) { return Lower<v1::Phase>(phase); }
std::string NameOf(v1::NoticeKind::Value kind) { return Lower<v1::NoticeKind>(kind); }
std::string NameOf(v1::CheckpointState::Value state) { return Upper<v1::CheckpointState>(state); }

v1::RunState::Value StateNamed(absl::string_view name) { return Named<v1::RunState>(std::string(name)); }
v1::EventKind::Value KindNamed(absl::string_view name) {
  return Named<v1::EventKind>(absl::AsciiStrToUpper(name));
}
v1::StopCause::Value CauseNamed(absl::string_view name) {
  return Named<v1::StopCause>(absl::AsciiStrToUpper(name));
}

v1::Phase::Value PhaseOf(const v1::Heartbeat& beat) {
  return Said<v1::Phase>(beat.phase(), beat.older_phase());
}
v1::Phase::Value PhaseOf(const v1::RankHung& hung) {
  return Said<v1::Phase>(hung.phase(), hung.older_phase());
}
v1::NoticeKind::Value KindOf(const v1::Notice& notice) {
  return Said<v1::NoticeKind>(notice.kind(), notice.older_kind());
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
