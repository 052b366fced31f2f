// The transfers of a connection, taken once: a collective allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/comm/ucx_worker.h"

namespace galley::comm {

class TransferPool {
 public:
  void SetSize(size_t count);

  // Under the owner's lock. CHECKs that one is free.
  Transfer& Claim(int peer, int64_t bytes, bool receives);
  // When `transfer` is done: gives it back, sets the pointer to null and returns true. Null counts as done.
  // Needs no lock: what the message brought was written before `done` was.
  static bool Take(Transfer*& transfer);

  // Under the owner's lock.
  void CancelReceives(UcxWorker& worker) const;
  bool HasUnsent() const;               // messages that UCX still holds
  bool HasPendingWith(int peer) const;  // messages to or from it that have not come through

 private:
  std::vector<Transfer> transfers_;
};

}  // namespace galley::comm
