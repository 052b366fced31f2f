// What an endpoint tells its peers of itself, as opaque bytes.
//
//   "GLY1" | cookie (8 bytes) | three fields: host, socket, worker; each a 4-byte length and its bytes
//
// Numbers are little endian.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::comm {

struct PeerAddress {
  uint64_t cookie = 0;
  std::string host;    // HostIdentity() of its process
  std::string socket;  // name of its liveness socket
  std::string worker;  // UCX's address of it
};

std::string EncodeAddress(const PeerAddress& address);
absl::StatusOr<PeerAddress> DecodeAddress(absl::string_view bytes);

// Equal for two processes that can reach each other by a Unix socket: boot, host name and network namespace.
// Where /proc tells nothing it is unique to the process, so peers are reached over the network.
std::string HostIdentity();

}  // namespace galley::comm
