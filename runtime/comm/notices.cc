#include "runtime/comm/notices.h"

#include <algorithm>

#include "runtime/comm/monotonic.h"
#include "runtime/comm/tag.h"

namespace galley::comm {

void Notices::SetUp(int rank, int size, uint64_t cookie) {
  rank_ = rank;
  cookie_ = cookie;
  inbox_ = std::vector<Inbox>(static_cast<size_t>(size));
}

uint64_t Notices::TagOf(int sender) const { return MakeTag(cookie_, sender, TagKind::kNotice, 0, 0); }

void Notices::PostReceive(int peer) {
  Inbox& inbox = inbox_[static_cast<size_t>(peer)];
  inbox.transfer.peer = peer;
  inbox.transfer.bytes = sizeof(Notice);
  inbox.transfer.receives = true;
  worker_->Recv(inbox.transfer, &inbox.notice, TagOf(peer));
}

void Notices::CancelReceives() {
  for (const Inbox& inbox : inbox_) worker_->Cancel(inbox.transfer);
}

void Notices::Send(const Notice& notice, const std::function<bool(int peer)>& listens, TransferPool& pool,
                   int64_t patience_ns) {
  own_ = notice;
  std::vector<Transfer*> sent;
  for (int r = 0; r < static_cast<int>(inbox_.size()); ++r) {
    if (r == rank_ || !worker_->connected(r) || !listens(r)) continue;
    sent.push_back(&pool.Claim(r, sizeof(Notice), /*receives=*/false));
    worker_->Send(*sent.back(), &own_, TagOf(rank_));
  }
  const int64_t end = MonotonicNs() + patience_ns;
  const auto settled = [this, end](const std::vector<Transfer*>& transfers) {
    const auto completed = [](const Transfer* t) { return t->completed; };
    while (!std::all_of(transfers.begin(), transfers.end(), completed)) {
      if (MonotonicNs() >= end) return false;
      worker_->Progress();
    }
    return true;
  };
  // A flush of the worker waits for what the network has, not for messages that had to queue before it, so
  // first the messages themselves are waited for.
  if (!settled(sent)) return;
  Transfer& flush = pool.Claim(rank_, 0, /*receives=*/false);
  worker_->Flush(flush);
  settled({&flush});
}

}  // namespace galley::comm
