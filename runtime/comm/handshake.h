// How the ranks of a connection find that all are there and agree, and fill UCX's pools.
//
// Each rank sends a hello to each. Before that it sends two messages, a small one and a large one, that the
// other receives only after the hello: so they arrive unexpected (before their receive is posted), and UCX
// fills the pools for such messages now and not in the first step in which a rank is late.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/comm/transfer_pool.h"
#include "runtime/comm/ucx_worker.h"

namespace galley::comm {

// Under the lock of the worker's owner.
class Handshake {
 public:
  struct Peers {
    // Brings what is on its way, and notes who was lost. An error ends the handshake.
    std::function<absl::Status()> poll;
    std::function<bool()> all_watched;  // every rank of this host can be seen to end
    // Why `peer` will not answer any more; OK while it may.
    std::function<absl::Status(int peer)> gone;
  };

  Handshake(UcxWorker* worker, TransferPool* pool, Peers peers, uint64_t cookie, int rank, int size);

  // Errors: kDeadlineExceeded names the silent ranks, kFailedPrecondition one that takes us for
  // another, else what `gone` says.
  absl::Status Run(absl::Duration timeout);

 private:
  struct Hello {
    uint64_t cookie = 0;
    int32_t rank = 0;
    int32_t size = 0;
  };
  struct Peer {
    Hello hello;
    Transfer* hello_out = nullptr;
    Transfer* hello_in = nullptr;
    bool hello_received = false;  // its hello has come
    std::array<Transfer*, 2> unexpected_out{};
    std::array<Transfer*, 2> unexpected_in{};
  };
  enum Message : uint32_t { kHello, kUnexpected };

  void Begin(int peer);
  absl::StatusOr<bool> Advance();  // true: done with all
  bool IsDone(int peer);
  absl::Status CheckHello(int peer) const;
  absl::Status Timeout(absl::Duration timeout) const;
  Transfer* Send(int peer, const void* data, int64_t bytes, Message message);
  Transfer* Recv(int peer, void* data, int64_t bytes, Message message);

  UcxWorker* const worker_;
  TransferPool* const pool_;
  const Peers from_;
  const Hello own_;
  std::vector<Peer> peers_;
  std::vector<char> sent_, received_;  // contents do not matter
};

}  // namespace galley::comm
