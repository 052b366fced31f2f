// A launcher for tests: as many ranks on each of the first `nodes` trainerds that are attached.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "launcher/launcher.h"

namespace galley::testing {

class SplitLauncher : public launcher::Launcher {
 public:
  explicit SplitLauncher(int64_t nodes) : nodes_(nodes) {}

  absl::Status Acquire(const launcher::Request& request) override {
    if (request.ranks % nodes_ == 0) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(request.ranks, " ranks are not divisible by ", nodes_, " nodes"));
  }
  absl::StatusOr<std::vector<launcher::Share>> Poll(const launcher::Request& request,
                                                    const std::vector<launcher::Node>& nodes) override {
    if (static_cast<int64_t>(nodes.size()) < nodes_) {
      return absl::UnavailableError(absl::StrCat(nodes_, " nodes: ", nodes.size(), " are attached"));
    }
    std::vector<launcher::Share> shares(static_cast<size_t>(nodes_));
    for (int32_t rank = 0; rank < request.ranks; ++rank) {
      const auto node = static_cast<size_t>(rank / (request.ranks / nodes_));
      shares[node].node = nodes[node].name;
      shares[node].ranks.push_back(rank);
    }
    return shares;
  }
  void Release(const std::string&, int64_t attempt) override { released_ = std::max(released_, attempt); }

  int64_t released() const { return released_; }  // the highest attempt; 0: none

 private:
  const int64_t nodes_;
  int64_t released_ = 0;
};

}  // namespace galley::testing
