#include "service/run/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/rng.h"
#include "service/run/row.h"

namespace galley::service {
namespace {

using ::testing::HasSubstr;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Event Of(EventKind kind, int64_t attempt = 0, int64_t step = 0) {
  Event e;
  e.kind = kind;
  e.attempt = attempt;
  e.step = step;
  return e;
}
Event Failed(Failure failure, int64_t attempt, int64_t step, std::string message = "rank 1 died") {
  Event e = Of(EventKind::kAttemptFailed, attempt, step);
  e.failure = failure;
  e.message = std::move(message);
  return e;
}
Event Request(EventKind kind, StopCause cause) {
  Event e = Of(kind);
  e.cause = cause;
  return e;
}
Event Saved(int64_t attempt, int64_t step) {
  Event e = Of(EventKind::kCheckpoint, attempt, step);
  e.path = "/c/step-" + std::to_string(step);
  return e;
}

class ApplyTest : public testing::Test {
 protected:
  ApplyTest() {
    run_.id = "r1";
    run_.name = "quick";
    run_.plan.total_steps = 100;
    Do(Of(EventKind::kAdmitted));
  }
  Applied Do(const Event& event) {
    absl::StatusOr<Applied> applied = Apply(run_, event, kNow);
    EXPECT_TRUE(applied.ok()) << applied.status();
    run_ = applied->run;
    return *std::move(applied);
  }
  void Start() {
    Event plan = Of(EventKind::kAttemptPlanned, run_.attempt + 1, run_.last_checkpoint_step);
    plan.placement.nodes = {{.name = "n1", .ranks = {0, 1}}};
    Do(plan);
    Do(Of(EventKind::kTraining, run_.attempt, run_.last_checkpoint_step));
  }
  void Crash(int64_t step, Failure failure = Failure::kRankCrash) {
    Do(Failed(failure, run_.attempt, step));
    Do(Of(EventKind::kAttemptGone, run_.attempt));
  }
  service::Run run_;
};

TEST_F(ApplyTest, ARunThatGoesWellSucceeds) {
  Start();
  EXPECT_EQ(run_.state, RunState::kRunning);
  Do(Saved(1, 100));
  Do(Of(EventKind::kCompleted, 1, 100));
  EXPECT_EQ(run_.state, RunState::kDraining);
  Do(Of(EventKind::kAttemptGone, 1));
  EXPECT_EQ(run_.state, RunState::kSucceeded);
  EXPECT_EQ(run_.step, 100);
  EXPECT_EQ(run_.event_seq, 6);
}

TEST_F(ApplyTest, AnAttemptOfTwoNodesIsGoneOnceBothAre) {
  const auto gone_from = [&](const char* node) {
    Event gone = Of(EventKind::kAttemptGone, run_.attempt);
    gone.node = node;
    return gone;
  };
  const auto start = [&] {
    Event plan = Of(EventKind::kAttemptPlanned, run_.attempt + 1);
    plan.placement.nodes = {{.name = "n1", .ranks = {0}}, {.name = "n2", .ranks = {1}}};
    Do(plan);
  };
  start();
  Do(gone_from("n2"));  // before it trained: nothing to be done with
  EXPECT_EQ(run_.state, RunState::kRecovering);
  EXPECT_TRUE(run_.live());
  EXPECT_FALSE(Do(gone_from("n2")).changed);
  EXPECT_FALSE(Do(gone_from("n3")).changed);
  Do(gone_from("n1"));
  EXPECT_FALSE(run_.live());
  start();
  Do(Of(EventKind::kTraining, 2));
  EXPECT_EQ(Do(gone_from("n2")).record.message, "no rank of attempt 2 is left on n2");
  EXPECT_EQ(run_.state, RunState::kRunning);
  EXPECT_TRUE(run_.placement.partly_gone());
  EXPECT_FALSE(run_.placement.LivesOn("n2"));
  Do(Of(EventKind::kCompleted, 2, 100));
  Do(gone_from("n1"));
  EXPECT_EQ(run_.state, RunState::kSucceeded);
}

TEST_F(ApplyTest, ThreeFailuresWithoutProgressHoldTheRunWithTheReason) {
  Start();
  for (int i = 1; i <= 3; ++i) {
    Crash(0);
    if (i < 3) {
      ASSERT_EQ(run_.state, RunState::kRecovering) << i;
      EXPECT_EQ(run_.backoff_ms, i == 1 ? 1000 : 2000);
      Start();
    }
  }
  EXPECT_EQ(run_.state, RunState::kHeld);
  EXPECT_EQ(run_.attempt, 3);
  EXPECT_THAT(run_.reason, HasSubstr("3 failures without progress"));
  EXPECT_THAT(run_.reason, HasSubstr("rank 1 died"));
  Do(Of(EventKind::kResumeRequested));
  EXPECT_EQ(run_.state, RunState::kQueued);
  EXPECT_EQ(run_.failures, 0);
}

TEST_F(ApplyTest, ProgressOrANewCheckpointStartsTheCountAnew) {
  Start();
  for (int i = 1; i <= 20; ++i) {
    Crash(10 * i);  // a higher step each time
    ASSERT_EQ(run_.state, RunState::kRecovering);
    Start();
  }
  Crash(1);
  Start();
  Crash(1);
  EXPECT_EQ(run_.failures, 2);
  Start();
  Do(Saved(run_.attempt, 5));  // no higher step, but a commit
  Crash(6);
  EXPECT_EQ(run_.failures, 0);
}

TEST_F(ApplyTest, OneAttemptsWitnessesCountOnceAndTheBestIsBelieved) {
  Start();
  Do(Failed(Failure::kPeerLost, 1, 0, "rank 0 lost rank 1"));
  Do(Failed(Failure::kRankCrash, 1, 0, "rank 1 was killed by signal 9"));
  EXPECT_EQ(run_.failures, 1);
  EXPECT_EQ(run_.reason, "rank 1 was killed by signal 9");
  EXPECT_FALSE(Do(Failed(Failure::kPeerLost, 1, 0, "rank 2 lost rank 1")).changed);
  Do(Failed(Failure::kNumeric, 1, 7, "loss is nan at step 7"));
  EXPECT_EQ(run_.state, RunState::kHeld);
  EXPECT_THAT(run_.reason, HasSubstr("step 7"));
}

TEST_F(ApplyTest, WhatRetryingCannotCureHoldsAtOnce) {
  for (Failure failure : {Failure::kNumeric, Failure::kConfig, Failure::kStorageFull}) {
    run_ = service::Run{};
    Do(Of(EventKind::kAdmitted));
    Start();
    Crash(3, failure);
    EXPECT_EQ(run_.state, RunState::kHeld) << Name(failure);
  }
}

TEST_F(ApplyTest, PreemptionUsesNoBudget) {
  for (int i = 0; i < 10; ++i) {
    Start();
    Do(Of(EventKind::kDrained, run_.attempt, 0));
    Do(Of(EventKind::kAttemptGone, run_.attempt));
    ASSERT_EQ(run_.state, RunState::kRecovering);
    ASSERT_EQ(run_.failures, 0);
  }
}

TEST_F(ApplyTest, NewsOfAnOvertakenAttemptMovesNothing) {
  Start();
  Crash(5);
  Start();
  const service::Run before = run_;
  for (EventKind kind : {EventKind::kTraining, EventKind::kCheckpoint, EventKind::kCompleted,
                         EventKind::kDrained, EventKind::kAttemptFailed, EventKind::kAttemptGone}) {
    EXPECT_FALSE(Do(Of(kind, 1, 50)).changed) << Name(kind);
  }
  EXPECT_EQ(EncodeRun(run_), EncodeRun(before));
}

TEST_F(ApplyTest, PauseThenResumeGoesOn) {
  Start();
  Do(Request(EventKind::kPauseRequested, StopCause::kPause));
  EXPECT_EQ(run_.state, RunState::kDraining);
  EXPECT_FALSE(Do(Request(EventKind::kPauseRequested, StopCause::kPause)).changed);
  Do(Saved(1, 12));
  Do(Of(EventKind::kDrained, 1, 12));
  Do(Of(EventKind::kAttemptGone, 1));
  EXPECT_EQ(run_.state, RunState::kPaused);
  EXPECT_EQ(run_.reason, "");
  Do(Of(EventKind::kResumeRequested));
  EXPECT_EQ(run_.state, RunState::kQueued);
  Start();
  EXPECT_EQ(run_.attempt, 2);
}

TEST_F(ApplyTest, APauseWhoseSaveFailsSaysFromWhereItGoesOn) {
  Start();
  Do(Saved(1, 40));
  Do(Request(EventKind::kPauseRequested, StopCause::kPause));
  Do(Failed(Failure::kRankCrash, 1, 55, "rank 0 was killed by signal 9"));
  Do(Of(EventKind::kAttemptGone, 1));
  EXPECT_EQ(run_.state, RunState::kPaused);
  EXPECT_THAT(run_.reason, HasSubstr("goes on from step 40"));
}

TEST_F(ApplyTest, CancelOverrulesPauseAndNowOverrulesBoth) {
  Start();
  Do(Request(EventKind::kPauseRequested, StopCause::kPause));
  Do(Request(EventKind::kCancelRequested, StopCause::kCancel));
  Do(Request(EventKind::kCancelRequested, StopCause::kCancelNow));
  EXPECT_EQ(run_.stop, StopCause::kCancelNow);
  EXPECT_FALSE(Do(Request(EventKind::kCancelRequested, StopCause::kCancel)).changed);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Apply(run_, Request(EventKind::kPauseRequested, StopCause::kPause), kNow).status()));
  Do(Of(EventKind::kAttemptGone, 1));
  EXPECT_EQ(run_.state, RunState::kCancelled);
}

TEST_F(ApplyTest, ARankThatDiesAfterTheLastCommitDoesNotSpoilTheRun) {
  Start();
  Do(Failed(Failure::kPeerLost, 1, 100));
  Do(Of(EventKind::kCompleted, 1, 100));
  Do(Of(EventKind::kAttemptGone, 1));
  EXPECT_EQ(run_.state, RunState::kSucceeded);
}

TEST_F(ApplyTest, RequestsThatCannotBeMetAreConflictsThatSayWhy) {
  Start();
  EXPECT_THAT(std::string(Apply(run_, Of(EventKind::kResumeRequested), kNow).status().message()),
              HasSubstr("RUNNING and cannot be resumed"));
  Do(Of(EventKind::kCompleted, 1, 100));
  Do(Of(EventKind::kAttemptGone, 1));
  for (const Event& e :
       {Of(EventKind::kResumeRequested), Request(EventKind::kCancelRequested, StopCause::kCancel),
        Request(EventKind::kPauseRequested, StopCause::kPause)}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(Apply(run_, e, kNow).status())) << Name(e.kind);
  }
}

TEST_F(ApplyTest, WallTimeIsTheSumOfTheSessions) {
  Start();
  Event pause = Request(EventKind::kPauseRequested, StopCause::kPauseNow);
  run_ = Apply(run_, pause, kNow + absl::Seconds(5))->run;
  run_ = Apply(run_, Of(EventKind::kAttemptGone, 1), kNow + absl::Seconds(7))->run;
  EXPECT_EQ(run_.active_ms, 7000);
  EXPECT_EQ(run_.session_unix_ms, 0);
}

TEST(Backoff, DoublesToAMinute) {
  EXPECT_EQ(Backoff(0), absl::Seconds(1));
  EXPECT_EQ(Backoff(1), absl::Seconds(1));
  EXPECT_EQ(Backoff(2), absl::Seconds(2));
  EXPECT_EQ(Backoff(5), absl::Seconds(16));
  EXPECT_EQ(Backoff(100), absl::Seconds(60));
}

// Any order of any events: Apply never leaves the table (it CHECKs), never lowers the attempt, never leaves a
// final state, and numbers what it stores densely.
TEST(ApplyAnything, KeepsTheInvariants) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Philox random(seed, 0);
    service::Run run;
    run.id = "r";
    for (uint64_t i = 0; i < 60; ++i) {
      const auto draw = random.At(i);
      Event e;
      e.kind = static_cast<EventKind>(1 + draw[0] % (kEventKinds - 1));
      e.attempt = e.kind == EventKind::kAttemptPlanned ? run.attempt + 1 : run.attempt - (draw[1] % 8 == 0);
      e.step = draw[1] % 50;
      e.failure = static_cast<Failure>(1 + draw[2] % (kFailures - 1));
      if (e.kind == EventKind::kPauseRequested)
        e.cause = draw[3] % 2 ? StopCause::kPause : StopCause::kPauseNow;
      if (e.kind == EventKind::kCancelRequested)
        e.cause = draw[3] % 2 ? StopCause::kCancel : StopCause::kCancelNow;
      absl::StatusOr<Applied> applied = Apply(run, e, kNow);
      if (!applied.ok()) continue;
      ASSERT_GE(applied->run.attempt, run.attempt);
      ASSERT_TRUE(!IsFinal(run.state) || applied->run.state == run.state);
      ASSERT_EQ(applied->run.event_seq, run.event_seq + (applied->changed ? 1 : 0));
      ASSERT_EQ(EncodeRun(DecodeRun(EncodeRun(applied->run)).value()), EncodeRun(applied->run));
      run = applied->run;
    }
  }
}

}  // namespace
}  // namespace galley::service
