#include "runtime/train/saver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"

namespace galley::train {
namespace {

v1::ShardReport ToProto(const checkpoint::ShardReport& shard, int64_t step, int rank) {
  v1::ShardReport out;
  out.set_step(step);
  out.set_rank(rank);
  out.set_file(shard.file);
  out.set_bytes(shard.bytes);
  out.set_xxh3(shard.xxh3);
  for (const std::string& t : shard.tensors) out.add_tensors(t);
  if (!shard.status.ok()) {
    out.set_error(std::string(shard.status.message()));
    out.set_error_code(static_cast<int>(shard.status.code()));
  }
  return out;
}

checkpoint::ShardReport FromProto(const v1::ShardReport& report) {
  checkpoint::ShardReport out;
  out.file = report.file();
  out.bytes = report.bytes();
  out.xxh3 = report.xxh3();
  out.tensors.assign(report.tensors().begin(), report.tensors().end());
  if (!report.error().empty()) {
    out.status = absl::Status(static_cast<absl::StatusCode>(report.error_code()), report.error());
  }
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Saver>> Saver::Create(const SaverOptions& options,
                                                     std::vector<checkpoint::Item> items,
                                                     link::Client& client) {
  ASSIGN_OR_RETURN(auto writer, checkpoint::Writer::Create(options.directory, options.rank, options.world,
                                                           checkpoint::TotalBytes(items)));
  return std::unique_ptr<Saver>(new Saver(options, std::move(items), client, std::move(writer)));
}

Saver::Saver(const SaverOptions& options, std::vector<checkpoint::Item> items, link::Client& client,
             std::unique_ptr<checkpoint::Writer> writer)
    : options_(options), items_(std::move(items)), client_(client), writer_(std::move(writer)) {
  if (options_.rank == 0) committer_ = std::thread([this] { CommitLoop(); });
}

Saver::~Saver() {
  writer_.reset();  // waits for the write: its callback uses this object
  {
    MutexLock lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (committer_.joinable()) committer_.join();
}

absl::Status Saver::Begin(Stream& stream, const checkpoint::ManifestInfo& info,
                          std::vector<std::string> requests) {
  writer_->Wait();
  // Before the snapshot, whose report may come back before this call returns.
  if (options_.rank == 0) {
    MutexLock lock(mutex_);
    Pending& save = pending_[info.step];
    save.info = info;
    save.requests = std::move(requests);
    save.begun = Clock::Real().Now();
  }
  int64_t step = info.step;
  absl::Status status =
      writer_->Snapshot(stream, step, options_.attempt, items_, [this, step](checkpoint::ShardReport shard) {
        v1::Report report;
        *report.mutable_shard() = ToProto(shard, step, options_.rank);
        // Rank 0 counts commits, which fail with any rank's shard; another rank knows of its own alone.
        if (options_.rank != 0) Settle(shard.status);
        client_.Send(std::move(report));
      });
  if (!status.ok()) {
    // The other ranks save; rank 0 must learn that this share will not come.
    checkpoint::ShardReport shard;
    shard.status = status;
    v1::Report report;
    *report.mutable_shard() = ToProto(shard, step, options_.rank);
    client_.Send(std::move(report));
    if (options_.rank != 0) Settle(status);
  }
  return status;
}

void Saver::OnShard(const v1::ShardReport& report) {
  if (options_.rank != 0) return;
  MutexLock lock(mutex_);
  // A faster rank may report before this one has begun the save, so a report without a save is kept. But not
  // one that trainerd passes on again when its save is complete: nothing would ever take it out, and the
  // saves behind it would wait.
  if (report.step() <= last_complete_) return;
  pending_[report.step()].shards[report.rank()] = FromProto(report);
  changed_.notify_all();
}

void Saver::CommitLoop() {
  MutexLock lock(mutex_);
  for (;;) {
    auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      auto it = pending_.begin();
      return it != pending_.end() && it->second.info.step != 0 &&
             static_cast<int>(it->second.shards.size()) == options_.world;
    };
    changed_.wait(lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closing_ || ready(); });
    if (!ready()) return;
    Pending save = std::move(pending_.begin()->second);
    pending_.erase(pending_.begin());
    last_complete_ = save.info.step;
    committing_ = true;
    lock.unlock();  // a commit waits for the disk, and OnShard runs on the thread that also takes an Abort
    CommitOne(std::move(save));
    lock.lock();
    committing_ = false;
    changed_.notify_all();
  }
}

void Saver::CommitOne(Pending save) {
  absl::Status status;
  std::vector<checkpoint::ShardReport> shards;
  int64_t bytes = 0;
  for (auto& [rank, shard] : save.shards) {
    if (status.ok()) status = Annotate(shard.status, absl::StrCat("rank ", rank));
    bytes += shard.bytes;
    shards.push_back(std::move(shard));
  }
  if (status.ok()) status = checkpoint::Commit(options_.directory, save.info, shards);
  v1::CheckpointCommitted done;
  done.set_step(save.info.step);
  done.set_path(absl::StrCat(options_.directory, "/step-", save.info.step));
  done.set_bytes(bytes);
  done.set_write_seconds(absl::ToDoubleSeconds(Clock::Real().Now() - save.begun));
  if (!status.ok()) {
    done.set_error(std::string(status.message()));
    LogError("checkpoint of step ", save.info.step, ": ", status.message());
  }
  Settle(status);
  if (save.requests.empty()) save.requests.push_back("");  // by the schedule: reported without an order's id
  for (const std::string& id : save.requests) {
    v1::Report report;
    *report.mutable_checkpoint() = done;
    report.mutable_checkpoint()->set_request_id(id);
    client_.Send(std::move(report));
  }
  if (!status.ok()) return;
  auto removed = checkpoint::ApplyRetention(options_.directory, options_.keep_last, options_.is_kept_for_good,
                                            options_.attempt);
  if (!removed.ok()) LogWarning("retention: ", removed.status().message());
}

void Saver::Settle(const absl::Status& status) {
  MutexLock lock(mutex_);
  failures_ = status.ok() ? 0 : failures_ + 1;
  if (!status.ok() && (absl::IsResourceExhausted(status) || failures_ >= kMaxFailures)) failure_ = status;
}

absl::Status Saver::Failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

absl::Status Saver::Drain(absl::Duration timeout) {
  writer_->Wait();
  MutexLock lock(mutex_);
  if (options_.rank == 0 && !changed_.wait_for(lock, timeout, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return pending_.empty() && !committing_;
      })) {
    return absl::DeadlineExceededError(absl::StrCat(options_.directory, ": step ", pending_.begin()->first,
                                                    ": not every rank reported its shard in time"));
  }
  return failure_;
}

}  // namespace galley::train
