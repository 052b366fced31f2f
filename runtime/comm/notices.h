// The last message of a rank to each of its peers: that it leaves the connection, and
// why. Nobody sends more than one.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/comm/transfer_pool.h"
#include "runtime/comm/ucx_worker.h"

namespace galley::comm {

// The rank that a failure began with is passed on, so that all ranks name the same one.
struct Notice {
  enum Kind : uint32_t { kNone, kLeft, kLost, kGaveUp };
  uint32_t kind = kNone;
  int32_t about = -1;  // the rank that left, was lost, or gave up
};

// Under the lock of the worker's owner.
class Notices {
 public:
  explicit Notices(UcxWorker* worker) : worker_(worker) {}

  void SetUp(int rank, int size, uint64_t cookie);
  void PostReceive(int peer);
  void CancelReceives();

  bool came_from(int peer) const { return inbox_[static_cast<size_t>(peer)].transfer.done; }
  const Notice& from(int peer) const { return inbox_[static_cast<size_t>(peer)].notice; }

  // To every connected peer for which `listens` holds, and until all are on their way, or the time is over.
  void Send(const Notice& notice, const std::function<bool(int peer)>& listens, TransferPool& pool,
            int64_t patience_ns);

 private:
  struct Inbox {
    Notice notice;
    Transfer transfer;
  };
  uint64_t TagOf(int sender) const;

  UcxWorker* const worker_;
  int rank_ = 0;
  uint64_t cookie_ = 0;
  std::vector<Inbox> inbox_;  // by peer
  Notice own_;                // UCX reads it until it is sent
};

}  // namespace galley::comm
