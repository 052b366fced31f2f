// The controller's two gRPC services over a Core.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/controller/core.h"

namespace galley::service {

struct ListenOptions {
  std::string address;     // "unix:/path" or "HOST:PORT"
  std::string token_file;  // its first line is asked of every caller; needed for TCP beyond loopback
  std::string tls_cert;    // PEM; likewise
  std::string tls_key;
  std::string state_dir;  // told by Version
};

class Server {
 public:
  // Listens. A Unix socket is made 0600 in a folder of 0700; one that a live controller listens on is
  // kFailedPrecondition, a dead one is replaced. TCP beyond loopback without TLS and token is refused.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Core& core, const ListenOptions& options);
  virtual ~Server() = default;                     // ends all streams
  virtual const std::string& address() const = 0;  // with the port that was chosen for port 0
};

}  // namespace galley::service
