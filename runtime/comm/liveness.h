// Tells at once of the end of a rank on this host: each pair of ranks holds a Unix stream socket, and the
// kernel closes it when a process ends, however it ends. The sockets are abstract, so no file system is
// needed; a peer must be of the same user and send the same cookie.
//
// One thread at a time; no call blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace galley::comm {

class Liveness {
 public:
  Liveness() = default;
  ~Liveness();
  Liveness(const Liveness&) = delete;
  Liveness& operator=(const Liveness&) = delete;

  absl::Status Listen();
  const std::string& name() const { return name_; }

  // names[r] is the socket of rank r, or empty when that rank is not on this host. Lower ranks are connected
  // to, higher ones are waited for.
  void Start(int rank, uint64_t cookie, std::vector<std::string> names);
  // Goes on with connecting; call it and Poll until complete. kUnavailable names a peer that was gone before.
  absl::Status Advance();
  bool complete() const { return missing_ == 0; }

  // Ranks whose process has ended, or that refused us, since the last call; each comes once.
  // Allocates only when one has.
  const std::vector<int>& Poll();

 private:
  absl::Status ConnectTo(int rank);
  void Accept();
  bool AcceptHello(int fd);  // false: refused
  void Connected(int rank, int fd);
  void Watch(int fd, uint64_t key);

  std::string name_;
  int listen_ = -1;
  int epoll_ = -1;
  int rank_ = 0;
  uint64_t cookie_ = 0;
  int missing_ = 0;
  std::vector<std::string> names_;  // by rank; empty: not on this host, or connected already
  std::vector<int> fds_;            // by rank; -1: none
  std::vector<int> pending_;        // accepted, not yet greeted
  std::vector<int> ended_;
};

}  // namespace galley::comm
