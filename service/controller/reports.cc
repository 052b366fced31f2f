#include "service/controller/reports.h"

#include <string.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "service/view/names.h"

namespace galley::service {
namespace {

Event About(EventKind kind, int64_t attempt, int64_t step, const Live* live) {
  Event event;
  event.kind = kind;
  event.attempt = attempt;
  event.step = SoundStep(step);
  if (live != nullptr && live->attempt == attempt) {
    if (kind != EventKind::kTraining && kind != EventKind::kCheckpoint) {
      event.step = std::max(event.step, live->step());
    }
    event.loss = live->latest.Get<"loss">();
    event.validation_loss = live->latest.Get<"validation_loss">();
  }
  return event;
}

Failure FailureOf(v1::Finished::Outcome outcome) {
  switch (outcome) {
    case v1::Finished::NUMERIC:
      return Failure::kNumeric;
    case v1::Finished::CONFIG:
      return Failure::kConfig;
    case v1::Finished::STORAGE_FULL:
      return Failure::kStorageFull;
    case v1::Finished::PEER_LOST:
      return Failure::kPeerLost;
    default:
      return Failure::kInternal;
  }
}

// Rank 0 speaks for the attempt's good end: it commits the checkpoints. Any rank speaks for a failure.
void AddFinished(const v1::Finished& finished, int32_t rank, int64_t attempt, const Live* live,
                 std::vector<Event>* events) {
  const bool good =
      finished.outcome() == v1::Finished::COMPLETED || finished.outcome() == v1::Finished::STOPPED;
  if (good && rank != 0) return;
  Event event = About(EventKind::kAttemptFailed, attempt, finished.step(), live);
  event.message = finished.message();
  if (finished.outcome() == v1::Finished::COMPLETED) {
    event.kind = EventKind::kCompleted;
    if (event.message.empty()) event.message = absl::StrCat("step ", finished.step(), " was the last");
  } else if (finished.outcome() == v1::Finished::STOPPED) {
    event.kind = EventKind::kDrained;
    if (event.message.empty()) event.message = absl::StrCat("stopped after step ", finished.step());
  } else {
    event.failure = FailureOf(finished.outcome());
    // The event's step is where it happened, not the last one that went well.
    if (event.failure == Failure::kNumeric) event.step = SoundStep(finished.step());
    event.message =
        absl::StrCat("rank ", rank, ", step ", finished.step(), ": ",
                     event.message.empty() ? v1::Finished::Outcome_Name(finished.outcome()) : event.message);
  }
  events->push_back(std::move(event));
}

std::string HowItEnded(const v1::RankExited& exited) {
  const std::string log =
      absl::StrCat("; see logs/attempt-", exited.attempt(), ".rank-", exited.rank(), ".log");
  if (exited.signal() != 0) {
    return absl::StrCat("rank ", exited.rank(), " was killed by signal ", exited.signal(), " (",
                        strsignal(exited.signal()), ")", log);
  }
  if (exited.code() < 0)
    return absl::StrCat("rank ", exited.rank(), " vanished while trainerd was away", log);
  if (exited.code() == 0)
    return absl::StrCat("rank ", exited.rank(), " left with status 0 before the end", log);
  return absl::StrCat("rank ", exited.rank(), " left with status ", exited.code(), log);
}

void AddExited(const v1::RankExited& exited, const Live* live, std::vector<Event>* events) {
  const v1::Finished& finished = exited.finished();
  if (exited.has_finished()) {
    AddFinished(finished, exited.rank(), exited.attempt(), live, events);
    if (finished.outcome() != v1::Finished::UNKNOWN) return;
  }
  Event event = About(EventKind::kAttemptFailed, exited.attempt(), exited.step(), live);
  event.failure = Failure::kRankCrash;
  event.message = HowItEnded(exited);
  events->push_back(std::move(event));
}

void AddRankReport(const v1::RankReport& report, const Live* live, std::vector<Event>* events) {
  const v1::Report& r = report.report();
  switch (r.report_case()) {
    case v1::Report::kTraining: {
      Event event = About(EventKind::kTraining, report.attempt(), r.training().step(), live);
      event.message = absl::StrCat("attempt ", report.attempt(), " trains");
      if (report.rank() == 0) events->push_back(std::move(event));
      return;
    }
    case v1::Report::kCheckpoint: {
      const v1::CheckpointCommitted& c = r.checkpoint();
      Event event = About(EventKind::kCheckpoint, report.attempt(), c.step(), live);
      event.path = c.path();
      event.message = absl::StrCat("checkpoint of step ", c.step(), ", ", c.bytes() >> 10, " KiB");
      if (!c.error().empty()) {
        event.kind = EventKind::kNoted;
        event.message =
            absl::StrCat("checkpoint of step ", c.step(), " failed, the previous one stands: ", c.error());
      }
      events->push_back(std::move(event));
      return;
    }
    case v1::Report::kFinished:
      AddFinished(r.finished(), report.rank(), report.attempt(), live, events);
      return;
    case v1::Report::kNotice: {
      Event event = About(EventKind::kNoted, report.attempt(), 0, live);
      const v1::Notice& notice = r.notice();
      event.message = absl::StrCat("rank ", report.rank(), ": ", view::NameOf(view::KindOf(notice)), ": ",
                                   notice.message());
      events->push_back(std::move(event));
      return;
    }
    default:
      return;
  }
}

}  // namespace

std::vector<Event> EventsOf(const v1::NodeReport& report, const Live* live) {
  std::vector<Event> events;
  switch (report.report_case()) {
    case v1::NodeReport::kRank:
      AddRankReport(report.rank(), live, &events);
      break;
    case v1::NodeReport::kExited:
      AddExited(report.exited(), live, &events);
      break;
    case v1::NodeReport::kHung: {
      const v1::RankHung& hung = report.hung();
      Event event = About(EventKind::kAttemptFailed, hung.attempt(), hung.step(), live);
      event.failure = Failure::kHang;
      event.message =
          absl::StrCat("rank ", hung.rank(), " made no progress for ", static_cast<int64_t>(hung.seconds()),
                       " s (", view::NameOf(view::PhaseOf(hung)), ", after step ", hung.step(), ")");
      events.push_back(std::move(event));
      break;
    }
    case v1::NodeReport::kAttemptStopped:
      events.push_back(About(EventKind::kAttemptGone, report.attempt_stopped().attempt(), 0, live));
      break;
    default:
      break;
  }
  return events;
}

}  // namespace galley::service
