// Gives an attempt its nodes. What a launcher knows of nodes and runs is handed in as plain values; orders to
// the nodes are the controller's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace galley::launcher {

// A trainerd that is attached now.
struct Node {
  std::string name;
  int64_t cores = 0;
  int64_t memory_bytes = 0;
  int64_t busy_cores = 0;  // promised to ranks that live there
  int64_t busy_bytes = 0;
};

struct Request {
  int64_t ranks = 1;
  int64_t threads_per_rank = 0;  // 0: the node's cores divided by the ranks
  int64_t bytes_per_rank = 0;
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  // Names of the nodes, in rank order. kUnavailable: none now, the message says what is waited for.
  // kFailedPrecondition: these nodes can never hold it.
  virtual absl::StatusOr<std::vector<std::string>> Place(const Request& request,
                                                         const std::vector<Node>& nodes) const = 0;
};

// All ranks on one registered trainerd. A node that nothing runs on takes any number of threads (a small
// machine may be oversubscribed by one run, never by two).
std::unique_ptr<Launcher> MakeLocal();

}  // namespace galley::launcher
