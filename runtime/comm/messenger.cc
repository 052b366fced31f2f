#include "runtime/comm/messenger.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/comm/address.h"
#include "runtime/comm/monotonic.h"
#include "runtime/comm/tag.h"

namespace galley::comm {
namespace {

// Transfers: of a handshake and a notice with each peer, and of one group's operation.
constexpr size_t kTransfersPerPeer = 7;
constexpr size_t kTransfersPerGroup = 128;
constexpr size_t kConcurrentGroups = 4;  // that have an operation under way, each on a thread of its own

// How a rank waits: it polls for about 0.1 ms, then sleeps between polls, since on a node with fewer cores
// than threads the rank we wait for may need our core. (sched_yield instead costs whole time slices there.)
constexpr int64_t kSpins = 1000;
constexpr timespec kSleep{0, 20'000};
constexpr int64_t kCheckEveryNs = 1'000'000;

constexpr int64_t kNotifyNs = 100'000'000;      // for sending the notice of a failure to the peers
constexpr int64_t kShutdownNs = 1'000'000'000;  // for what is still on its way when a connection ends
// Between a failed message and its cause. A rank that aborts sends its notice before it frees
// its buffers, and the end of a process is seen at its liveness socket; either names the cause
// better than the failed message.
constexpr int64_t kCauseNs = 500'000'000;
// A rank's notice that it leaves follows all that it sent on the same path, so what it sent is here when the
// notice is. Only where UCX stripes a message over several network devices may parts still be on another.
constexpr int64_t kOtherPathNs = 100'000'000;

}  // namespace

Messenger::Messenger(const UcxOptions& options) : options_(options), notices_(&worker_), worker_(this) {}

absl::StatusOr<std::unique_ptr<Messenger>> Messenger::Create(const UcxOptions& options) {
  std::unique_ptr<Messenger> messenger(new Messenger(options));
  RETURN_IF_ERROR(messenger->Open());
  return messenger;
}

absl::Status Messenger::Open() {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(worker_.Open());
  RETURN_IF_ERROR(liveness_.Listen());
  PeerAddress address;
  address.cookie = options_.cookie;
  address.host = HostIdentity();
  address.socket = liveness_.name();
  ASSIGN_OR_RETURN(address.worker, worker_.Address());
  address_ = EncodeAddress(address);
  return absl::OkStatus();
}

Messenger::~Messenger() {
  const MutexLock lock(mutex_);
  if (connected_ && broken_.ok()) {
    if (abort_requested_) {
      BreakIfAborted().IgnoreError();  // tells the peers
    } else {
      NoteLost();  // no notice goes to a process that has ended
      worker_.Drain();
      TellPeers({Notice::kLeft, rank_}, kShutdownNs);
    }
  }
  notices_.CancelReceives();
  if (!broken_.ok()) worker_.CloseFailingEndpoints(kShutdownNs);
  if (transfers_.HasUnsent()) worker_.LeakContext();
}

absl::Status Messenger::Connect(int rank, const std::vector<std::string>& addresses) {
  const MutexLock lock(mutex_);
  CHECK(peers_.empty()) << "an endpoint connects once";
  const int size = static_cast<int>(addresses.size());
  if (size > kMaxRanks) {
    return absl::InvalidArgumentError(absl::StrCat(size, " ranks: at most ", kMaxRanks, " can connect"));
  }
  if (rank < 0 || rank >= size || addresses[static_cast<size_t>(rank)] != address_) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", rank, " of ", size, ": its entry in the list is not its own address"));
  }
  rank_ = rank;
  size_ = size;
  peers_.resize(addresses.size());
  worker_.SetPeers(size);
  transfers_.SetSize(kTransfersPerPeer * addresses.size() + kConcurrentGroups * kTransfersPerGroup);
  notices_.SetUp(rank, size, options_.cookie);
  absl::Status status = ConnectPeers(addresses);
  if (status.ok()) status = RunHandshake();
  connected_ = status.ok();
  return status.ok() ? status : Break(Annotate(status, "connecting the ranks"), Notice::kGaveUp, rank_);
}

absl::Status Messenger::ConnectPeers(const std::vector<std::string>& addresses) {
  ASSIGN_OR_RETURN(const PeerAddress self, DecodeAddress(address_));
  std::vector<std::string> sockets(addresses.size());
  for (int r = 0; r < size(); ++r) {
    if (r == rank_) continue;
    auto decoded = DecodeAddress(addresses[static_cast<size_t>(r)]);
    if (!decoded.ok()) return Annotate(decoded.status(), absl::StrCat("rank ", r));
    if (decoded->cookie != options_.cookie) {
      return absl::FailedPreconditionError(absl::StrCat(
          "rank ", r, " belongs to another attempt of the run; only ranks of one attempt connect"));
    }
    const bool same_host = options_.shared_memory && decoded->host == self.host;
    if (same_host) sockets[static_cast<size_t>(r)] = decoded->socket;
    // Asked to report a peer's failure, UCX leaves shared memory for TCP; on this host the
    // sockets of liveness_ report it.
    RETURN_IF_ERROR(worker_.Connect(r, decoded->worker, /*report_failure=*/!same_host));
  }
  liveness_.Start(rank_, options_.cookie, std::move(sockets));
  return absl::OkStatus();
}

absl::Status Messenger::RunHandshake() {
  for (int r = 0; r < size(); ++r) {
    if (r != rank_) notices_.PostReceive(r);
  }
  // Run calls them, with the lock that RunHandshake has.
  Handshake::Peers peers{
      .poll = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return PollDuringHandshake(); },
      .all_watched = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return liveness_.complete(); },
      .gone = [this](int peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return LossOf(peer); }};
  handshake_ =
      std::make_unique<Handshake>(&worker_, &transfers_, std::move(peers), options_.cookie, rank_, size());
  RETURN_IF_ERROR(handshake_->Run(options_.connect_timeout));
  handshake_.reset();  // else messages of it are still in flight, and the worker goes first
  return absl::OkStatus();
}

absl::Status Messenger::PollDuringHandshake() {
  worker_.Drain();
  RETURN_IF_ERROR(liveness_.Advance());
  NoteLost();
  return mismatch_;
}

absl::Status Messenger::LossOf(int rank) const {
  if (notices_.came_from(rank)) {
    return absl::UnavailableError(absl::StrCat("rank ", rank, " gave up connecting"));
  }
  if (!peers_[static_cast<size_t>(rank)].lost) return failure_;
  return absl::UnavailableError(
      absl::StrCat("rank ", rank, " ended, cannot be reached, or belongs to another attempt"));
}

void Messenger::OnCompleted(Transfer& transfer, Completion completion, int64_t bytes, const char* error) {
  // A failed flush (of all peers, counted as our own) tells nothing that a failed endpoint does not. What was
  // taken back or has failed is never done: a thread of another group may be polling for it, and nothing may
  // be built on what it should have brought.
  const bool flush = transfer.peer == rank_;
  if (flush || completion == Completion::kDone || completion == Completion::kTruncated) {
    const bool wrong_size = transfer.receives && bytes != transfer.bytes;
    if (wrong_size && mismatch_.ok()) {
      mismatch_ = absl::InternalError(absl::StrCat(
          "rank ", transfer.peer, " sent ", bytes, " bytes where rank ", rank_, " expects ", transfer.bytes,
          ": the ranks disagree about the operation; run the same Galley version and recipe on every rank"));
    }
    if (!wrong_size) transfer.done.store(true, std::memory_order_release);
    return;
  }
  if (completion == Completion::kFailed) NoteFailure(transfer.peer, error);
}

void Messenger::OnEndpointFailed(int peer, const char* error) { NoteFailure(peer, error); }

// On this host a large message is read out of the sender's memory. That fails when the sender has ended, but
// also when it has broken off, on an abort or an error of others, and its buffers are gone.
void Messenger::NoteFailure(int peer, const char* error) {
  if (worker_.reports_failure(peer)) {
    peers_[static_cast<size_t>(peer)].lost = true;
  } else if (failure_.ok()) {
    failed_at_ns_ = MonotonicNs();
    failure_ =
        absl::UnavailableError(absl::StrCat("a message from or to rank ", peer, " failed: UCX: ", error));
  }
}

void Messenger::NoteLost() {
  for (int r : liveness_.Poll()) peers_[static_cast<size_t>(r)].lost = true;
}

absl::Status Messenger::Check() {
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(broken_);
  return BreakIfAborted();
}

Transfer* Messenger::Send(int to, const void* data, int64_t bytes, uint64_t tag) {
  const MutexLock lock(mutex_);
  Transfer& transfer = transfers_.Claim(to, bytes, /*receives=*/false);
  // When a thread of another group has broken the connection meanwhile, the transfer is never done and the
  // caller's next Progress says why; a receive posted now would be taken back by nobody.
  if (broken_.ok()) worker_.Send(transfer, data, tag);
  return &transfer;
}

Transfer* Messenger::Recv(int from, void* data, int64_t bytes, uint64_t tag) {
  const MutexLock lock(mutex_);
  Transfer& transfer = transfers_.Claim(from, bytes, /*receives=*/true);
  if (broken_.ok()) worker_.Recv(transfer, data, tag);
  return &transfer;
}

absl::Status Messenger::Progress(Wait& wait) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(broken_);
  RETURN_IF_ERROR(BreakIfAborted());
  // Peers are looked at also while messages keep moving: those may be of other ranks than the lost one.
  if (worker_.Progress()) {
    wait.idle = 0;
    if (++wait.busy < kSpins) return absl::OkStatus();
  } else if (++wait.idle < kSpins) {
    lock.unlock();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    return absl::OkStatus();
  }
  wait.busy = 0;
  if (int64_t now = MonotonicNs(); now >= wait.next_check_ns) {
    wait.next_check_ns = now + kCheckEveryNs;
    RETURN_IF_ERROR(CheckPeers());
  }
  lock.unlock();  // a thread of another group may have messages to move meanwhile
  if (wait.idle >= kSpins) nanosleep(&kSleep, nullptr);
  return absl::OkStatus();
}

// UCX moves nothing while the rank computes. A message that still needs our side (queued, or a rendezvous
// that the receiver has not answered) would keep the peer waiting until our next operation.
absl::Status Messenger::Flush(Wait& wait) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(broken_);
  if (!mismatch_.ok()) RETURN_IF_ERROR(CheckPeers());
  Transfer* flush = &transfers_.Claim(rank_, 0, /*receives=*/false);
  worker_.Flush(*flush);
  lock.unlock();
  while (!TransferPool::Take(flush)) RETURN_IF_ERROR(Progress(wait));
  return absl::OkStatus();
}

absl::Status Messenger::BreakIfAborted() {
  // Every poll comes by here, so without an abort it costs one load and no lock.
  if (!abort_requested_.load(std::memory_order_acquire)) return absl::OkStatus();
  MutexLock lock(abort_mutex_);
  absl::Status reason = absl::AbortedError(abort_reason_);
  lock.unlock();
  return Break(std::move(reason), Notice::kGaveUp, rank_);
}

absl::Status Messenger::CheckPeers() {
  if (!mismatch_.ok()) return Break(mismatch_, Notice::kGaveUp, rank_);
  NoteLost();
  const bool unexplained = !failure_.ok() && MonotonicNs() - failed_at_ns_ > kCauseNs;
  bool failed = unexplained;
  for (int r = 0; r < size(); ++r) {
    failed = failed || peers_[static_cast<size_t>(r)].lost || notices_.came_from(r);
  }
  return failed ? BreakOnFailure(unexplained) : absl::OkStatus();
}

// Which rank to name when several have failed, so that all ranks name the one where it began: a process that
// ended without a notice comes before what others say of it, a loss before an abort, and a rank that left in
// order counts last, where a message with it is pending.
absl::Status Messenger::BreakOnFailure(bool unexplained) {
  worker_.Drain();  // what a peer sent before it ended is here by now
  int lost = -1, left = -1;
  const Notice* notified = nullptr;
  for (int r = 0; r < size(); ++r) {
    if (!notices_.came_from(r)) {
      if (peers_[static_cast<size_t>(r)].lost && lost < 0) lost = r;
    } else if (const Notice& notice = notices_.from(r); notice.kind != Notice::kLeft) {
      if (notified == nullptr || notice.kind == Notice::kLost) notified = &notice;
    } else if (LeftWithPending(r)) {
      left = r;
    }
  }
  if (lost < 0 && notified != nullptr && notified->kind == Notice::kLost) lost = notified->about;
  if (lost >= 0) {
    return Break(absl::UnavailableError(absl::StrCat("rank ", lost, " was lost: its process ended")),
                 Notice::kLost, lost);
  }
  if (notified != nullptr) {
    const int about = notified->about;
    return Break(absl::UnavailableError(
                     absl::StrCat("rank ", about, " gave up: it was told to stop, or has met an error")),
                 Notice::kGaveUp, about);
  }
  if (left >= 0) {
    return Break(absl::UnavailableError(absl::StrCat("rank ", left, " has left the group")), Notice::kGaveUp,
                 left);
  }
  return unexplained ? Break(failure_, Notice::kGaveUp, rank_) : absl::OkStatus();
}

// A rank leaves when all that it sent is on its way. So a message from or to it that is still pending when
// its notice is here will never complete.
bool Messenger::LeftWithPending(int rank) {
  int64_t& left_at_ns = peers_[static_cast<size_t>(rank)].left_at_ns;
  if (left_at_ns == 0) left_at_ns = MonotonicNs();
  return transfers_.HasPendingWith(rank) && MonotonicNs() - left_at_ns >= kOtherPathNs;
}

absl::Status Messenger::Break(absl::Status status, Notice::Kind kind, int about) {
  if (!broken_.ok()) return broken_;
  broken_ = std::move(status);
  // The callers' buffers are theirs again when their operation returns the error; UCX must not write to them.
  transfers_.CancelReceives(worker_);
  TellPeers({kind, about}, kNotifyNs);
  return broken_;
}

void Messenger::TellPeers(const Notice& notice, int64_t patience_ns) {
  // A message to an ended process would never complete; a peer that has sent its own notice receives none.
  const auto listens = [this](int r) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !peers_[static_cast<size_t>(r)].lost && !notices_.came_from(r);
  };
  notices_.Send(notice, listens, transfers_, patience_ns);
}

void Messenger::Abort(const std::string& reason) {
  const MutexLock lock(abort_mutex_);
  if (abort_requested_) return;
  abort_reason_ = reason;
  abort_requested_.store(true, std::memory_order_release);
}

int Messenger::next_group() {
  const MutexLock lock(mutex_);
  return next_group_;
}

void Messenger::UsedGroup(int group) {
  const MutexLock lock(mutex_);
  next_group_ = std::max(next_group_, group + 1);
}

}  // namespace galley::comm
