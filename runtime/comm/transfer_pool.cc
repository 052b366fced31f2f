#include "runtime/comm/transfer_pool.h"

#include <algorithm>

#include "runtime/base/check.h"

namespace galley::comm {

void TransferPool::SetSize(size_t count) { transfers_ = std::vector<Transfer>(count); }

Transfer& TransferPool::Claim(int peer, int64_t bytes, bool receives) {
  // Acquire, with Take's release: the thread that gave it back has read what the message brought.
  auto free = std::find_if(transfers_.begin(), transfers_.end(),
                           [](const Transfer& t) { return !t.in_use.load(std::memory_order_acquire); });
  CHECK(free != transfers_.end()) << "more messages in flight than planned";
  free->request = nullptr;
  free->bytes = bytes;
  free->peer = peer;
  free->receives = receives;
  free->completed = false;
  free->done.store(false, std::memory_order_relaxed);
  free->in_use.store(true, std::memory_order_relaxed);
  return *free;
}

bool TransferPool::Take(Transfer*& transfer) {
  if (transfer == nullptr) return true;
  if (!transfer->done.load(std::memory_order_acquire)) return false;
  transfer->in_use.store(false, std::memory_order_release);
  transfer = nullptr;
  return true;
}

void TransferPool::CancelReceives(UcxWorker& worker) const {
  for (const Transfer& t : transfers_) {
    if (t.in_use && t.receives) worker.Cancel(t);
  }
}

bool TransferPool::HasUnsent() const {
  return std::any_of(transfers_.begin(), transfers_.end(),
                     [](const Transfer& t) { return t.in_use && !t.receives && !t.done; });
}

bool TransferPool::HasPendingWith(int peer) const {
  return std::any_of(transfers_.begin(), transfers_.end(),
                     [peer](const Transfer& t) { return t.in_use && !t.done && t.peer == peer; });
}

}  // namespace galley::comm
