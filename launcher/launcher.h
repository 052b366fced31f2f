// Gives an attempt its nodes. What a launcher knows of nodes and runs is handed in as plain values; orders to
// the nodes are the controller's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/plan/inventory.h"

namespace galley::launcher {

// A trainerd that is attached now. What is busy is promised to ranks that live there or are about to.
struct Node {
  std::string name;
  int64_t cores = 0;
  int64_t memory_bytes = 0;
  int64_t busy_cores = 0;
  int64_t busy_bytes = 0;
  std::vector<plan::Device> devices = {};  // the host's processor first
};

// What an attempt needs. `run_id` and `attempt` name it in every call.
struct Request {
  std::string run_id = {};
  int64_t attempt = 1;
  int64_t nodes = 1;
  int64_t ranks = 1;
  int64_t threads_per_rank = 0;  // 0: the node's cores divided by its ranks
  int64_t bytes_per_rank = 0;
};

// The part of an attempt that one node hosts.
struct Share {
  std::string node;
  std::vector<int32_t> ranks;
  bool operator==(const Share&) const = default;
};

// Called under the controller's lock, so no call waits: one that asks another system does so on its own
// thread, and Poll says how it stands.
class Launcher {
 public:
  virtual ~Launcher() = default;
  // Asks for nodes; a repeat changes nothing. After Release it asks anew: the run stood still meanwhile. An
  // error as Poll's.
  virtual absl::Status Acquire(const Request& request) = 0;
  // The nodes, with the ranks of each in rising order and as many on every node. kUnavailable: not yet, the
  // message says what is waited for. kFailedPrecondition: never, until a human acts.
  // REQUIRES: Acquire was called for this attempt.
  virtual absl::StatusOr<std::vector<Share>> Poll(const Request& request, const std::vector<Node>& nodes) = 0;
  // The run wants no nodes any more for this attempt or any lower one; also where Acquire was never called.
  virtual void Release(const std::string& run_id, int64_t attempt) = 0;
};

// By the `launcher.kind` of recipes.
using Launchers = std::map<recipe::LauncherKind, std::unique_ptr<Launcher>>;

// All ranks on one registered trainerd. A node that nothing runs on takes any number of threads (a small
// machine may be oversubscribed by one run, never by two).
std::unique_ptr<Launcher> MakeLocal();

}  // namespace galley::launcher
