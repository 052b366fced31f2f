// The few socket calls both ends share.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/link/frame.h"

namespace galley::link {

// A connected, non-blocking stream socket. A Unix connect succeeds or fails at once.
absl::StatusOr<int> ConnectUnix(const std::string& path);
// A listening, non-blocking socket, 0600; see Server::Listen.
absl::StatusOr<int> ListenUnix(const std::string& path);

// Reads what is there into `reader`, at most `limit` bytes. False: the peer closed or the socket broke.
bool ReadInto(int fd, FrameReader& reader, size_t limit = size_t{1} << 20);
// Writes from the front of `out` what the socket takes. False: the socket broke.
bool WriteFrom(int fd, std::string& out);

}  // namespace galley::link
