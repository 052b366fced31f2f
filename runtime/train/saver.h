// Saves of a run: snapshot on every rank, shards in the background, and on rank 0 the commit when all ranks
// have reported. The step loop waits for the snapshot only, or for an earlier write that has not ended.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "galley/v1/rank.pb.h"
#include "runtime/base/mutex.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/link/client.h"

namespace galley::train {

struct SaverOptions {
  std::string directory;
  int rank = 0;
  int world = 1;
  int64_t attempt = 1;
  int64_t keep_last = 0;  // 0: all
  std::function<bool(int64_t step)> is_kept_for_good;
};

class Saver {
 public:
  // items: this rank's share; the views must stay valid. Takes memory for the snapshot.
  static absl::StatusOr<std::unique_ptr<Saver>> Create(const SaverOptions& options,
                                                       std::vector<checkpoint::Item> items,
                                                       link::Client& client);
  ~Saver();

  // Waits for the rank's earlier write, snapshots in the order of the stream that updates the items, and
  // returns; the rest happens in the background. `requests` are the Save orders that this save answers.
  absl::Status Begin(Stream& stream, const checkpoint::ManifestInfo& info, std::vector<std::string> requests);

  // Rank 0: a shard of some rank is written. Thread-safe; a repeated report does no harm.
  void OnShard(const v1::ShardReport& report);

  // Until this rank's write has ended and, on rank 0, every begun save is committed or has failed.
  // kDeadlineExceeded when a rank's report does not come in time. Otherwise Failure().
  absl::Status Drain(absl::Duration timeout);

  // What must end the run: at once when storage is full, else after kMaxFailures failed saves in
  // a row. Ok while all is well.
  absl::Status Failure() const;

  static constexpr int kMaxFailures = 3;

 private:
  struct Pending {
    checkpoint::ManifestInfo info;
    std::vector<std::string> requests;
    std::map<int, checkpoint::ShardReport> shards;  // by rank
    absl::Time begun;
  };

  Saver(const SaverOptions& options, std::vector<checkpoint::Item> items, link::Client& client,
        std::unique_ptr<checkpoint::Writer> writer);
  void CommitLoop();
  void CommitOne(Pending save) ABSL_LOCKS_EXCLUDED(mutex_);
  void Settle(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);  // counts failures

  const SaverOptions options_;
  const std::vector<checkpoint::Item> items_;
  link::Client& client_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<int64_t, Pending> pending_ ABSL_GUARDED_BY(mutex_);  // by step
  bool committing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int64_t last_complete_ ABSL_GUARDED_BY(mutex_) = 0;  // step of the last save that all ranks have reported
  // After what its callback touches, so that it ends first.
  std::unique_ptr<checkpoint::Writer> writer_;
  std::thread committer_;
};

}  // namespace galley::train
