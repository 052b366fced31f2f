#include "runtime/comm/handshake.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/status.h"
#include "runtime/comm/monotonic.h"
#include "runtime/comm/tag.h"

namespace galley::comm {
namespace {

constexpr timespec kPause{0, 20'000};
// UCX keeps apart what it sends at once and what waits for the receiver (a rendezvous): one size of each, the
// second that of a segment of the collectives.
constexpr int64_t kUnexpectedBytes[2] = {16, 512 << 10};

}  // namespace

Handshake::Handshake(UcxWorker* worker, TransferPool* pool, Peers peers, uint64_t cookie, int rank, int size)
    : worker_(worker),
      pool_(pool),
      from_(std::move(peers)),
      own_{cookie, rank, size},
      peers_(static_cast<size_t>(size)),
      sent_(kUnexpectedBytes[1]),
      received_(kUnexpectedBytes[1]) {}

absl::Status Handshake::Run(absl::Duration timeout) {
  for (int r = 0; r < own_.size; ++r) {
    if (r != own_.rank) Begin(r);
  }
  // A year: an infinite timeout would overflow the sum.
  const int64_t deadline = MonotonicNs() + absl::ToInt64Nanoseconds(std::min(timeout, absl::Hours(24 * 365)));
  while (true) {
    ASSIGN_OR_RETURN(const bool done, Advance());
    if (done) return absl::OkStatus();
    if (MonotonicNs() > deadline) return Timeout(timeout);
    nanosleep(&kPause, nullptr);
  }
}

void Handshake::Begin(int rank) {
  Peer& peer = peers_[static_cast<size_t>(rank)];
  for (size_t i = 0; i < 2; ++i) {
    peer.unexpected_out[i] = Send(rank, sent_.data(), kUnexpectedBytes[i], kUnexpected);
  }
  peer.hello_in = Recv(rank, &peer.hello, sizeof(Hello), kHello);
  peer.hello_out = Send(rank, &own_, sizeof(Hello), kHello);
}

absl::StatusOr<bool> Handshake::Advance() {
  RETURN_IF_ERROR(from_.poll());
  bool all = from_.all_watched();
  for (int r = 0; r < own_.size; ++r) {
    if (r == own_.rank) continue;
    bool done = IsDone(r);
    if (absl::Status gone = done ? absl::OkStatus() : from_.gone(r); !gone.ok()) {
      // A rank may be done with us, and with all its work, before we are done with all others: then its part
      // is here already. Twice: the hello must be taken before the receives of the rest are posted.
      for (int i = 0; i < 2 && !done; ++i) {
        worker_->Drain();
        done = IsDone(r);
      }
      if (!done) return gone;
    }
    RETURN_IF_ERROR(CheckHello(r));
    all = all && done;
  }
  return all;
}

bool Handshake::IsDone(int rank) {
  Peer& peer = peers_[static_cast<size_t>(rank)];
  if (!TransferPool::Take(peer.hello_in)) return false;
  if (!peer.hello_received) {
    peer.hello_received = true;
    for (size_t i = 0; i < 2; ++i) {
      // All write into one buffer, which nobody reads.
      peer.unexpected_in[i] = Recv(rank, received_.data(), kUnexpectedBytes[i], kUnexpected);
    }
  }
  bool done = TransferPool::Take(peer.hello_out);
  for (size_t i = 0; i < 2; ++i) {
    // Each is taken, also when another is late.
    done = TransferPool::Take(peer.unexpected_out[i]) && done;
    done = TransferPool::Take(peer.unexpected_in[i]) && done;
  }
  return done;
}

absl::Status Handshake::CheckHello(int rank) const {
  const Peer& peer = peers_[static_cast<size_t>(rank)];
  if (!peer.hello_received ||
      (peer.hello.cookie == own_.cookie && peer.hello.rank == rank && peer.hello.size == own_.size)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("rank ", rank, " says it is rank ", peer.hello.rank,
                                                    " of ", peer.hello.size, ", not of ", own_.size));
}

absl::Status Handshake::Timeout(absl::Duration timeout) const {
  std::vector<int> missing;
  for (int r = 0; r < own_.size; ++r) {
    const Peer& peer = peers_[static_cast<size_t>(r)];
    if (r != own_.rank && (!peer.hello_received || peer.unexpected_in[1] != nullptr)) missing.push_back(r);
  }
  return absl::DeadlineExceededError(absl::StrCat("no answer from rank ", absl::StrJoin(missing, ", "),
                                                  " within ", absl::FormatDuration(timeout)));
}

Transfer* Handshake::Send(int peer, const void* data, int64_t bytes, Message message) {
  Transfer& transfer = pool_->Claim(peer, bytes, /*receives=*/false);
  worker_->Send(transfer, data, MakeTag(own_.cookie, own_.rank, TagKind::kHandshake, 0, message));
  return &transfer;
}

Transfer* Handshake::Recv(int peer, void* data, int64_t bytes, Message message) {
  Transfer& transfer = pool_->Claim(peer, bytes, /*receives=*/true);
  worker_->Recv(transfer, data, MakeTag(own_.cookie, peer, TagKind::kHandshake, 0, message));
  return &transfer;
}

}  // namespace galley::comm
