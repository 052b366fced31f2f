#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "service/run/messages.h"

namespace galley::service {
namespace {

using ::testing::ElementsAre;

template <class E>
std::vector<std::string> Names(int count, bool (*parse)(absl::string_view, E*)) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    names.emplace_back(Name(static_cast<E>(i)));
    E back;
    EXPECT_TRUE(parse(names.back(), &back) && back == static_cast<E>(i)) << names.back();
  }
  E unused;
  EXPECT_FALSE(parse("UNKNOWN", &unused) || parse("unknown", &unused) || parse("", &unused));
  return names;
}

// Stores and scripts hold these names.
TEST(Names, AreTheContract) {
  EXPECT_THAT(Names(kRunStates, ParseState),
              ElementsAre("ACCEPTED", "QUEUED", "LAUNCHING", "RUNNING", "DRAINING", "RECOVERING", "PAUSED",
                          "HELD", "SUCCEEDED", "FAILED", "CANCELLED"));
  EXPECT_THAT(Names(kEventKinds, ParseKind),
              ElementsAre("submitted", "admitted", "attempt_planned", "training", "checkpoint", "completed",
                          "drained", "attempt_failed", "attempt_gone", "pause_requested", "cancel_requested",
                          "resume_requested", "blocked", "unlaunchable", "noted"));
  EXPECT_THAT(Names(kStopCauses, ParseCause),
              ElementsAre("none", "finished", "exit_duration", "pause", "pause_now", "cancel", "cancel_now"));
}

// Each enumerator is the message's value of its name, not only the first and the last.
TEST(Names, EnumeratorsAreTheMessagesValues) {
  EXPECT_EQ(ToMessage(RunState::kRunning), v1::RunState::RUNNING);
  EXPECT_EQ(ToMessage(RunState::kRecovering), v1::RunState::RECOVERING);
  EXPECT_EQ(ToMessage(RunState::kPaused), v1::RunState::PAUSED);
  EXPECT_EQ(ToMessage(RunState::kHeld), v1::RunState::HELD);
  EXPECT_EQ(ToMessage(RunState::kSucceeded), v1::RunState::SUCCEEDED);
  EXPECT_EQ(ToMessage(RunState::kFailed), v1::RunState::FAILED);
  EXPECT_EQ(ToMessage(EventKind::kAttemptFailed), v1::EventKind::ATTEMPT_FAILED);
  EXPECT_EQ(ToMessage(StopCause::kPauseNow), v1::StopCause::PAUSE_NOW);
}

}  // namespace
}  // namespace galley::service
