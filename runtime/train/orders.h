// What trainerd orders while training goes on. One thread waits on the link, so that an Abort
// reaches a rank which waits in a collective; Stop and Save become numbers that the ranks agree on
// by the maximum of a step's flags.
#pragma once

#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "galley/v1/rank.pb.h"
#include "runtime/base/mutex.h"
#include "runtime/link/client.h"

namespace galley::train {

// Flags of a step: each is the maximum over all ranks after it.
enum Flag { kStopFlag, kSaveFlag, kFailFlag, kFlagCount };
enum StopVote : int64_t { kContinue = 0, kStopUnsaved = 1, kStopSaved = 2 };

class Orders {
 public:
  struct Hooks {
    std::function<void(const std::string& reason)> abort;     // leave collectives now
    std::function<void(const v1::ShardReport& shard)> shard;  // rank 0: a shard of any rank is written
  };
  // Starts the thread; `client` must outlive this.
  Orders(link::Client& client, Hooks hooks);
  ~Orders();
  Orders(const Orders&) = delete;
  Orders& operator=(const Orders&) = delete;

  // Relaxed: a flag that is seen a step late is agreed on a step late, by all ranks.
  int64_t stop() const { return stop_.load(std::memory_order_relaxed); }
  // How many different Save orders have come.
  int64_t saves() const { return saves_.load(std::memory_order_relaxed); }
  bool aborted() const { return aborted_.load(std::memory_order_relaxed); }

  std::string stop_reason() const;
  std::string abort_reason() const;
  // Ids of Save orders that no save has answered yet; the caller's save will.
  std::vector<std::string> TakeSaveRequests();

 private:
  void Watch();
  void Handle(const v1::Order& order);

  link::Client& client_;
  Hooks hooks_;
  std::atomic<int64_t> stop_{kContinue};
  std::atomic<int64_t> saves_{0};
  std::atomic<bool> aborted_{false};
  std::atomic<bool> closing_{false};
  mutable Mutex mutex_;
  std::string stop_reason_ ABSL_GUARDED_BY(mutex_), abort_reason_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> seen_saves_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> open_saves_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace galley::train
