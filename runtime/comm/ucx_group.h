// Group over UCX (UCP tag matching). Rendezvous happens outside: make an endpoint, pass its address to every
// rank by whatever way there is (trainerd and controller), then connect with all addresses in rank order.
//
// Ranks on one host talk through shared memory and learn of each other's end by a Unix socket, which the
// kernel closes; ranks on different hosts talk over the network, where UCX reports a lost connection. A host
// that vanishes (power, cable) is for the controller to notice: Abort.
//
// Algorithms: a ring for large all-reduce, reduce-scatter and all-gather; recursive doubling for small
// all-reduce; a binomial tree for broadcast; dissemination for barrier. Memory: about 2 MiB of staging a
// group. It works on the host's memory and completes a stream's work before it begins (group.h). UCX_*
// variables in the environment are obeyed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/comm/group.h"

namespace galley::comm {

struct UcxOptions {
  // Fencing: part of each tag, so a rank of another attempt can not join. Run id hash and attempt number.
  uint64_t cookie = 0;
  absl::Duration connect_timeout = absl::Seconds(60);
  // False: ranks of this host, too, are reached over the network, as on another node.
  bool shared_memory = true;
};

class UcxEndpoint {
 public:
  static absl::StatusOr<std::unique_ptr<UcxEndpoint>> Create(const UcxOptions& options);
  virtual ~UcxEndpoint() = default;
  // Opaque bytes for the peers (host identity, UCX worker address, liveness socket).
  virtual const std::string& address() const = 0;
  // addresses[r] is the address of rank r; addresses[rank] is this one's. Blocks until all peers are
  // connected; called once. The group takes over what the endpoint holds. Errors: kDeadlineExceeded and
  // kUnavailable name the ranks that are missing or gone, kFailedPrecondition one of another attempt.
  virtual absl::StatusOr<std::unique_ptr<Group>> Connect(int rank,
                                                         const std::vector<std::string>& addresses) = 0;
};

}  // namespace galley::comm
