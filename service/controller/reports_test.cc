#include "service/controller/reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace galley::service {
namespace {

using testing::HasSubstr;

v1::NodeReport Exited(int rank, int code, int signal) {
  v1::NodeReport report;
  v1::RankExited& exited = *report.mutable_exited();
  exited.set_run_id("r");
  exited.set_attempt(2);
  exited.set_rank(rank);
  exited.set_code(code);
  exited.set_signal(signal);
  return report;
}

v1::NodeReport Finished(int rank, v1::Finished::Outcome outcome, int64_t step, const std::string& message) {
  v1::NodeReport report;
  v1::RankReport& r = *report.mutable_rank();
  r.set_run_id("r");
  r.set_attempt(2);
  r.set_rank(rank);
  r.mutable_report()->mutable_finished()->set_outcome(outcome);
  r.mutable_report()->mutable_finished()->set_step(step);
  r.mutable_report()->mutable_finished()->set_message(message);
  return report;
}

TEST(Reports, AnExitWithoutAWordIsACrash) {
  const std::vector<Event> killed = EventsOf(Exited(1, -1, 9), nullptr);
  ASSERT_EQ(killed.size(), 1u);
  EXPECT_EQ(killed[0].kind, EventKind::kAttemptFailed);
  EXPECT_EQ(killed[0].failure, Failure::kRankCrash);
  EXPECT_EQ(killed[0].attempt, 2);
  EXPECT_THAT(killed[0].message, HasSubstr("rank 1 was killed by signal 9"));
  // Status 0 before the end is no success.
  EXPECT_EQ(EventsOf(Exited(0, 0, 0), nullptr)[0].failure, Failure::kRankCrash);
  EXPECT_THAT(EventsOf(Exited(0, 3, 0), nullptr)[0].message, HasSubstr("status 3"));
}

// What a row cannot hold would be found damaged when it is read.
TEST(Reports, StepsAreThoseThatARowHolds) {
  for (const auto outcome : {v1::Finished::NUMERIC, v1::Finished::COMPLETED}) {
    EXPECT_EQ(EventsOf(Finished(0, outcome, -7, ""), nullptr)[0].step, 0);
    EXPECT_EQ(EventsOf(Finished(0, outcome, INT64_MAX, ""), nullptr)[0].step, int64_t{1} << 60);
  }
}

TEST(Reports, AnExitRecordIsWholeByItself) {
  v1::NodeReport report = Exited(0, 0, 0);
  report.mutable_exited()->mutable_finished()->set_outcome(v1::Finished::COMPLETED);
  report.mutable_exited()->mutable_finished()->set_step(600);
  const std::vector<Event> events = EventsOf(report, nullptr);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, EventKind::kCompleted);
  EXPECT_EQ(events[0].step, 600);
}

TEST(Reports, RankZeroSpeaksForAGoodEndAndAnyRankForABadOne) {
  EXPECT_EQ(EventsOf(Finished(0, v1::Finished::STOPPED, 7, "pause"), nullptr)[0].kind, EventKind::kDrained);
  EXPECT_TRUE(EventsOf(Finished(1, v1::Finished::COMPLETED, 7, ""), nullptr).empty());
  const struct {
    v1::Finished::Outcome outcome;
    Failure failure;
  } cases[] = {
      {v1::Finished::NUMERIC, Failure::kNumeric},          {v1::Finished::CONFIG, Failure::kConfig},
      {v1::Finished::STORAGE_FULL, Failure::kStorageFull}, {v1::Finished::PEER_LOST, Failure::kPeerLost},
      {v1::Finished::INTERNAL, Failure::kInternal},        {v1::Finished::UNKNOWN, Failure::kInternal}};
  for (const auto& c : cases) {
    const std::vector<Event> events = EventsOf(Finished(1, c.outcome, 7, "because"), nullptr);
    ASSERT_EQ(events.size(), 1u) << c.outcome;
    EXPECT_EQ(events[0].failure, c.failure);
    EXPECT_EQ(events[0].message, "rank 1, step 7: because");
  }
}

TEST(Reports, TheLastStepSeenFillsWhatAReportDoesNotSay) {
  Live live;
  live.attempt = 2;
  metrics::StepRecord step;
  step.Set<"step">(int64_t{41});
  step.Set<"loss">(2.5);
  live.recent.push_back(step);
  live.latest = step;
  live.latest.Set<"validation_loss">(2.75);
  const Event event = EventsOf(Exited(1, -1, 9), &live)[0];
  EXPECT_EQ(event.step, 41);
  EXPECT_EQ(event.loss, 2.5);
  EXPECT_EQ(event.validation_loss, 2.75);
  live.attempt = 1;  // of another attempt: says nothing of this one
  EXPECT_EQ(EventsOf(Exited(1, -1, 9), &live)[0].step, 0);
}

TEST(Reports, AFailedCommitIsANoteAndAGoodOneACheckpoint) {
  v1::NodeReport report;
  report.mutable_rank()->set_run_id("r");
  report.mutable_rank()->set_attempt(2);
  v1::CheckpointCommitted& committed = *report.mutable_rank()->mutable_report()->mutable_checkpoint();
  committed.set_step(200);
  committed.set_path("/c/step-200");
  EXPECT_EQ(EventsOf(report, nullptr)[0].kind, EventKind::kCheckpoint);
  EXPECT_EQ(EventsOf(report, nullptr)[0].path, "/c/step-200");
  committed.set_error("disk full");
  EXPECT_EQ(EventsOf(report, nullptr)[0].kind, EventKind::kNoted);
  EXPECT_THAT(EventsOf(report, nullptr)[0].message, HasSubstr("the previous one stands: disk full"));
}

v1::NodeReport Hung() {
  v1::NodeReport report;
  report.mutable_hung()->set_attempt(2);
  report.mutable_hung()->set_rank(1);
  report.mutable_hung()->set_step(7);
  report.mutable_hung()->set_seconds(12.5);
  return report;
}

v1::NodeReport Noted() {
  v1::NodeReport report;
  report.mutable_rank()->set_rank(1);
  report.mutable_rank()->mutable_report()->mutable_notice()->set_message("3 step reports were dropped");
  return report;
}

TEST(Reports, AHangSaysWhereAndANoticeWhatItIsAbout) {
  v1::NodeReport hung = Hung(), noted = Noted();
  hung.mutable_hung()->set_phase(v1::Phase::EVALUATE);
  EXPECT_EQ(EventsOf(hung, nullptr)[0].failure, Failure::kHang);
  EXPECT_EQ(EventsOf(hung, nullptr)[0].message, "rank 1 made no progress for 12 s (evaluate, after step 7)");
  noted.mutable_rank()->mutable_report()->mutable_notice()->set_kind(v1::NoticeKind::REPORTS_DROPPED);
  EXPECT_EQ(EventsOf(noted, nullptr)[0].kind, EventKind::kNoted);
  EXPECT_EQ(EventsOf(noted, nullptr)[0].message, "rank 1: reports_dropped: 3 step reports were dropped");
}

// What a trainerd's spool may hold from before an upgrade says it as text.
TEST(Reports, OfAnOlderVersionSayTheSame) {
  v1::NodeReport hung = Hung(), noted = Noted();
  hung.mutable_hung()->set_older_phase("train");
  EXPECT_EQ(EventsOf(hung, nullptr)[0].message, "rank 1 made no progress for 12 s (train, after step 7)");
  noted.mutable_rank()->mutable_report()->mutable_notice()->set_older_kind("metrics");
  EXPECT_EQ(EventsOf(noted, nullptr)[0].message, "rank 1: metrics: 3 step reports were dropped");
}

TEST(Reports, HeartbeatsAndStepsMoveNothing) {
  v1::NodeReport report;
  report.mutable_rank()->mutable_report()->mutable_step()->add_values()->set_bits(3);
  EXPECT_TRUE(EventsOf(report, nullptr).empty());
  report.mutable_rank()->mutable_report()->mutable_heartbeat()->set_step(3);
  EXPECT_TRUE(EventsOf(report, nullptr).empty());
}

}  // namespace
}  // namespace galley::service
