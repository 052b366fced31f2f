// Group over UCX (UCP tag matching). Rendezvous happens outside: make an endpoint, pass its address to every
// rank by whatever way there is (trainerd and controller), then connect with all addresses in rank order.
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
};

class UcxEndpoint {
 public:
  static absl::StatusOr<std::unique_ptr<UcxEndpoint>> Create(const UcxOptions& options);
  virtual ~UcxEndpoint() = default;
  // Opaque bytes for the peers (host identity, UCX worker address, liveness socket).
  virtual const std::string& address() const = 0;
  // addresses[r] is the address of rank r; addresses[rank] is this one's. Blocks until all peers are
  // connected.
  virtual absl::StatusOr<std::unique_ptr<Group>> Connect(int rank,
                                                         const std::vector<std::string>& addresses) = 0;
};

}  // namespace galley::comm
