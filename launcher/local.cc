#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "launcher/launcher.h"

namespace galley::launcher {
namespace {

std::vector<int32_t> AllRanks(int64_t ranks) {
  std::vector<int32_t> all(static_cast<size_t>(ranks));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class Local : public Launcher {
 public:
  absl::Status Acquire(const Request&) override { return absl::OkStatus(); }
  void Release(const std::string&, int64_t) override {}

  absl::StatusOr<std::vector<Share>> Poll(const Request& request, const std::vector<Node>& nodes) override {
    if (nodes.empty()) return absl::UnavailableError("a node: no trainerd is attached");
    const int64_t bytes = request.ranks * request.bytes_per_rank;
    int64_t most_memory = 0;
    for (const Node& node : nodes) {
      most_memory = std::max(most_memory, node.memory_bytes);
      const int64_t cores =
          request.threads_per_rank == 0 ? node.cores : request.ranks * request.threads_per_rank;
      const bool idle = node.busy_cores == 0;
      const bool fits = node.busy_cores + cores <= node.cores;
      if ((idle || fits) && node.busy_bytes + bytes <= node.memory_bytes)
        return std::vector<Share>{{node.name, AllRanks(request.ranks)}};
    }
    if (bytes > most_memory) {
      return absl::FailedPreconditionError(absl::StrCat(request.ranks, " ranks need ", bytes >> 20,
                                                        " MiB, and the largest node has ", most_memory >> 20,
                                                        " MiB; lower batch.micro or the model's size"));
    }
    return absl::UnavailableError("free cores or memory: other runs hold the nodes");
  }
};

}  // namespace

std::unique_ptr<Launcher> MakeLocal() { return std::make_unique<Local>(); }

}  // namespace galley::launcher
