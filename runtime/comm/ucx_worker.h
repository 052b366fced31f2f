// UCX for one rank: a worker, an endpoint a peer, tagged messages. The only code that knows UCX.
//
// Not thread-safe: the owner's lock is held around every call, and so around the listener's, which come from
// within Send, Recv, Flush, Drain and Progress.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace galley::comm {

class UcxWorker;

// A message in flight, or a flush. Only in_use and done may be touched without the owner's lock: the thread
// that waits for a message polls `done` without taking it.
struct Transfer {
  UcxWorker* worker = nullptr;
  void* request = nullptr;  // UCX's, of a receive that has not completed
  int64_t bytes = 0;
  int peer = 0;
  bool receives = false;
  bool completed = false;  // UCX is done with it, well or not
  std::atomic<bool> in_use{false};
  std::atomic<bool> done{false};  // completed, and what it brought may be used
};

enum class Completion { kDone, kTruncated, kCancelled, kFailed };

class UcxWorker {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // transfer.completed is set. bytes: those that came, also of a message that was too long. `error`: UCX's
    // words for it. Sets transfer.done.
    virtual void OnCompleted(Transfer& transfer, Completion completion, int64_t bytes, const char* error) = 0;
    virtual void OnEndpointFailed(int peer, const char* error) = 0;
  };

  explicit UcxWorker(Listener* listener);
  ~UcxWorker();
  UcxWorker(const UcxWorker&) = delete;
  UcxWorker& operator=(const UcxWorker&) = delete;

  absl::Status Open();
  absl::StatusOr<std::string> Address() const;

  void SetPeers(int count);  // before the first Connect
  // With report_failure UCX tells of the peer's loss, but does not use shared memory.
  absl::Status Connect(int peer, const std::string& address, bool report_failure);
  bool connected(int peer) const;
  bool reports_failure(int peer) const;

  // To or from transfer.peer, of transfer.bytes. Messages with one tag between
  // two ranks are matched in order.
  void Send(Transfer& transfer, const void* data, uint64_t tag);
  void Recv(Transfer& transfer, void* data, uint64_t tag);
  // Completes when what was handed to the network is out. Messages that still queue are not waited for.
  void Flush(Transfer& transfer);
  void Cancel(const Transfer& transfer);  // of a receive

  bool Progress();  // false: nothing moved
  void Drain();     // until nothing moves

  // UCX does not destroy a worker with messages in flight to an endpoint that reports failures;
  // such endpoints can be closed by force, which ends the messages. Others, those of shared
  // memory, can not and need not.
  void CloseFailingEndpoints(int64_t patience_ns);
  // Leaves the context to the end of the process. UCX 1.18 aborts when a context with a message that nobody
  // took is cleaned up, and on shared memory such a message cannot be taken back.
  void LeakContext();

 private:
  struct Ucx;
  std::unique_ptr<Ucx> ucx_;
};

}  // namespace galley::comm
