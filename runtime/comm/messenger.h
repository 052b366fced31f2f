// The connection of a rank to all others, which the groups split from one another share: messages over UCX
// tag matching, and where a lost peer or an abort ends every wait.
//
// When it breaks (Progress fails) posted receives have been cancelled, the peers have been notified, and
// everything after fails with the same status, in every group of it.
//
// Threads: a thread a group (channel.h), and Abort from any. One lock guards the worker and all that its
// callbacks touch. It is held for single calls of UCX and never while a thread sleeps or reduces, so a thread
// that waits in one group does not keep another from moving messages. Lock order: mutex_, then abort_mutex_;
// Abort takes the latter alone, since it must not wait for a thread that is sending notices of a failure.
//
// Nothing of ours is allocated after Connect (UCX grows its own pools when more
// messages than ever are in flight).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "runtime/comm/handshake.h"
#include "runtime/comm/liveness.h"
#include "runtime/comm/notices.h"
#include "runtime/comm/transfer_pool.h"
#include "runtime/comm/ucx_group.h"
#include "runtime/comm/ucx_worker.h"

namespace galley::comm {

class Messenger : private UcxWorker::Listener {
 public:
  // How long a thread has polled without or with success; one for each thread that waits.
  struct Wait {
    int64_t idle = 0;
    int64_t busy = 0;
    int64_t next_check_ns = 0;
  };

  static absl::StatusOr<std::unique_ptr<Messenger>> Create(const UcxOptions& options);
  ~Messenger() override;
  const std::string& address() const { return address_; }
  absl::Status Connect(int rank, const std::vector<std::string>& addresses);

  int rank() const { return rank_; }
  int size() const { return size_; }
  uint64_t cookie() const { return options_.cookie; }

  // An error when the connection is broken, or is to be aborted.
  absl::Status Check();
  Transfer* Send(int to, const void* data, int64_t bytes, uint64_t tag);
  Transfer* Recv(int from, void* data, int64_t bytes, uint64_t tag);
  // Lets messages move. Sleeps between polls when nothing has moved for long.
  absl::Status Progress(Wait& wait);
  // Until all that was sent is on its way without further help from this process.
  absl::Status Flush(Wait& wait);

  void Abort(const std::string& reason);

  // Numbers of groups. A rank that joins group n uses no number up to n for another one.
  int next_group();
  void UsedGroup(int group);

 private:
  struct Peer {
    bool lost = false;
    int64_t left_at_ns = 0;  // when we saw that it had left; 0: it has not
  };

  explicit Messenger(const UcxOptions& options);
  absl::Status Open();
  absl::Status ConnectPeers(const std::vector<std::string>& addresses) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RunHandshake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PollDuringHandshake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LossOf(int peer) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void OnCompleted(Transfer& transfer, Completion completion, int64_t bytes, const char* error) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEndpointFailed(int peer, const char* error) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteFailure(int peer, const char* error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteLost() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status BreakIfAborted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckPeers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status BreakOnFailure(bool unexplained) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool LeftWithPending(int peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Break(absl::Status status, Notice::Kind kind, int about) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellPeers(const Notice& notice, int64_t patience_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const UcxOptions options_;
  // From Create and Connect, before any other thread has the messenger.
  std::string address_;
  int rank_ = 0;
  int size_ = 0;

  Mutex mutex_;
  Liveness liveness_ ABSL_GUARDED_BY(mutex_);
  std::vector<Peer> peers_ ABSL_GUARDED_BY(mutex_);  // by rank
  TransferPool transfers_ ABSL_GUARDED_BY(mutex_);
  // While connecting; its buffers go after the worker.
  std::unique_ptr<Handshake> handshake_ ABSL_GUARDED_BY(mutex_);
  Notices notices_ ABSL_GUARDED_BY(mutex_);
  bool connected_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);
  absl::Status mismatch_ ABSL_GUARDED_BY(mutex_);  // the ranks disagree about a message
  // Of a message on this host, while its cause is not known.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int64_t failed_at_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_group_ ABSL_GUARDED_BY(mutex_) = 1;  // 0 is the world

  std::atomic<bool> abort_requested_{false};
  Mutex abort_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  std::string abort_reason_ ABSL_GUARDED_BY(abort_mutex_);

  UcxWorker worker_ ABSL_GUARDED_BY(mutex_);  // last: it goes before what its callbacks write to
};

}  // namespace galley::comm
