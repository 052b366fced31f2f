// What an attempt does with each report of its ranks.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/utf8.h"
#include "runtime/metrics/report.h"
#include "service/node/attempt.h"
#include "service/view/names.h"

namespace galley::service {
namespace {

absl::Duration Now() { return Clock::Real().SinceStart(); }

}  // namespace

Attempt::Rank* Attempt::Of(link::Session session, int* number) {
  for (auto& [n, rank] : ranks_) {
    if (rank.session == session) {
      *number = n;
      return &rank;
    }
  }
  return nullptr;
}

bool Attempt::Hello(link::Session session, const v1::Hello& hello) {
  for (auto& [number, rank] : ranks_) {
    if (!rank.living || rank.process.identity().pid != hello.pid() || number != hello.rank()) continue;
    const bool first = rank.session != session;
    rank.session = session;
    rank.connected = true;
    watchdog_.Heard(number, Now());
    if (!first) return true;
    // Start may have been given by an earlier trainerd; the rank's end of the link drops a second one.
    v1::Order start;
    *start.mutable_start() = StartOf(number);
    host_.server().Send(session, start);
    while (!rank.waiting.empty()) {
      host_.server().Send(session, rank.waiting.front());
      rank.waiting.pop_front();
    }
    if (number == 0) {
      for (HeldShard& shard : std::exchange(held_shards_, {})) ForwardShard(std::move(shard));
    }
    return true;
  }
  return false;
}

void Attempt::OnDisconnect(link::Session session) {
  int number = 0;
  Rank* rank = Of(session, &number);
  if (rank == nullptr) return;
  rank->connected = false;
  if (rank->end.has_value()) Finish(number);
}

void Attempt::OnOrderTaken(link::Session session, uint64_t sequence) {
  int number = 0;
  if (Of(session, &number) == nullptr || number != 0) return;
  auto it = shards_.find(sequence);
  if (it == shards_.end()) return;
  host_.server().Done(it->second.first, it->second.second);
  shards_.erase(it);
}

v1::NodeReport Attempt::FromRank(int number, const v1::Report& report) const {
  v1::NodeReport up;
  v1::RankReport* rank = up.mutable_rank();
  rank->set_run_id(run_id());
  rank->set_attempt(this->number());
  rank->set_rank(number);
  *rank->mutable_report() = report;
  return up;
}

void Attempt::Up(int number, const v1::Report& report, Spool::Keep keep) {
  host_.Report(FromRank(number, report), keep);
}

void Attempt::OnReport(link::Session session, uint64_t sequence, const v1::Report& report) {
  int number = 0;
  Rank* rank = Of(session, &number);
  if (rank == nullptr) return;
  watchdog_.Heard(number, Now());
  switch (report.report_case()) {
    case v1::Report::kHeartbeat: {
      const v1::Heartbeat& beat = report.heartbeat();
      rank->step = std::max(rank->step, beat.step());
      watchdog_.Progress(number, view::PhaseOf(beat), beat.step(), beat.item(), Now());
      return;
    }
    case v1::Report::kReady:
      TakeReady(number, *rank, report);
      return;
    case v1::Report::kStep:
      TakeStep(number, *rank, session, sequence, report);
      return;
    case v1::Report::kShard:
      TakeShard(number, *rank, sequence, report.shard());
      return;
    case v1::Report::kFinished:
      rank->finished = report.finished();
      rank->step = std::max(rank->step, report.finished().step());
      SaveState();
      Up(number, report, Spool::Keep::kSynced);
      break;
    case v1::Report::kCheckpoint:
      if (report.checkpoint().error().empty()) {
        host_.SinksOf(ensure_).CheckpointCommitted(Clock::Real().Now());
      }
      Up(number, report, Spool::Keep::kSynced);
      break;
    case v1::Report::kTraining:
    case v1::Report::kNotice:
      Up(number, report, Spool::Keep::kWritten);
      break;
    case v1::Report::kHello:
    case v1::Report::REPORT_NOT_SET:
      break;
  }
  if (sequence > 0) host_.server().Done(session, sequence);
}

void Attempt::TakeReady(int number, Rank& rank, const v1::Report& report) {
  rank.address = report.ready().address();
  if (!HostsAll()) {
    TellReady(number, rank);
    return;
  }
  v1::Order order;
  for (const auto& [n, r] : ranks_) {
    if (!r.address.has_value()) return;
    order.mutable_peers()->add_addresses(*r.address);
  }
  Order(-1, order);
}

void Attempt::TellReady(int number, const Rank& rank) {
  v1::Report report;
  report.mutable_ready()->set_address(*rank.address);
  host_.Tell(FromRank(number, report));
}

void Attempt::TellShard(int number, const v1::ShardReport& shard) {
  v1::Report report;
  *report.mutable_shard() = shard;
  host_.Tell(FromRank(number, report));
}

// The controller keeps neither on disk: after its restart it knows them from here alone.
void Attempt::Attached() {
  if (over() || HostsAll()) return;
  for (const auto& [number, rank] : ranks_) {
    if (!rank.living) continue;
    if (rank.address.has_value()) TellReady(number, rank);
    for (const auto& [step, shard] : rank.shards) TellShard(number, shard);
  }
}

void Attempt::Committed(int64_t step) {
  if (over()) return;
  size_t dropped = 0;
  for (auto& [number, rank] : ranks_) {
    dropped += std::erase_if(rank.shards, [&](const auto& shard) { return shard.first <= step; });
  }
  if (dropped > 0) SaveState();
}

void Attempt::TakeStep(int number, Rank& rank, link::Session session, uint64_t sequence,
                       const v1::Report& report) {
  const metrics::StepRecord step = metrics::FromReport(report.step());
  rank.step = std::max(rank.step, step.step());
  if (number != 0) {  // the same for all ranks: rank 0 speaks for the run
    host_.server().Done(session, sequence);
    return;
  }
  if (const double seconds = step.Get<"step_seconds">().value_or(0); seconds > 0) {
    watchdog_.StepTook(absl::Seconds(seconds));
  }
  // Done once it is in metrics.jsonl, so that neither our death nor the rank's can lose a line.
  host_.SinksOf(ensure_).Push(step, [this, session, sequence, alive = alive_, &loop = host_.loop()] {
    loop.Post([this, session, sequence, alive] {
      if (*alive) host_.server().Done(session, sequence);
    });
  });
  v1::RankReport sample;
  sample.set_run_id(run_id());
  sample.set_attempt(this->number());
  sample.set_rank(number);
  *sample.mutable_report() = report;
  // Few are of an evaluation.
  host_.Sample(std::move(sample), step.Get<"validation_loss">().has_value());
}

void Attempt::TakeShard(int number, Rank& rank, uint64_t sequence, const v1::ShardReport& report) {
  if (!ranks_.contains(0)) {
    // Not the newest alone: a rank may be a save ahead of the commit of an earlier one.
    rank.shards[report.step()] = report;
    SaveState();
    TellShard(number, report);
    host_.server().Done(rank.session, sequence);
    return;
  }
  HeldShard shard{rank.session, sequence, report};
  if (number != 0) {
    ForwardShard(std::move(shard));
    return;
  }
  // Rank 0 commits once it has all shards, its own too. Its own goes back only after the steps before it are
  // in metrics.jsonl: a committed checkpoint never lies beyond the recorded steps.
  host_.SinksOf(ensure_).Mark([this, shard, alive = alive_, &loop = host_.loop()] {
    loop.Post([this, shard, alive] {
      if (*alive) ForwardShard(shard);
    });
  });
}

void Attempt::ForwardShard(HeldShard shard) {
  Rank& zero = ranks_[0];
  if (!zero.living || zero.end.has_value()) {  // nobody commits any more
    host_.server().Done(shard.session, shard.sequence);
    return;
  }
  if (zero.session == 0) {  // we were restarted and it has not come back yet
    held_shards_.push_back(std::move(shard));
    return;
  }
  v1::Order order;
  *order.mutable_shard() = std::move(shard.report);
  shards_[host_.server().Send(zero.session, order)] = {shard.session, shard.sequence};
}

std::string LogTail(const std::string& path, size_t bytes) {
  absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return "";
  absl::string_view text = file->text();
  if (text.size() > bytes) {
    text.remove_prefix(text.size() - bytes);
    const size_t newline = text.find('\n');
    if (newline != absl::string_view::npos && newline + 1 < text.size()) text.remove_prefix(newline + 1);
  }
  // A proto string must be UTF-8; a log may hold anything.
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const int length = text[i] == 0 ? 0 : DecodeUtf8(text.data() + i, text.data() + text.size()).length;
    if (length > 0) {
      out.append(text.data() + i, static_cast<size_t>(length));
      i += static_cast<size_t>(length);
    } else {
      out.push_back('?');
      ++i;
    }
  }
  return out;
}

}  // namespace galley::service
