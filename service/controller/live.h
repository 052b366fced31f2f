// What is known of a run and is forgotten when the controller ends: the last steps. Nodes send it again.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "galley/v1/controller.pb.h"
#include "runtime/metrics/step_record.h"

namespace galley::service {

// A step that a rank tells, as a run's row can hold it, whatever the rank says.
inline int64_t SoundStep(int64_t told) { return std::clamp<int64_t>(told, 0, int64_t{1} << 60); }

struct Live {
  static constexpr size_t kRecent = 200;

  int64_t attempt = 0;  // of what follows
  std::deque<metrics::StepRecord> recent;
  metrics::StepRecord latest;  // what is true now: the last step, and what stays of those before it
  std::string metrics_address;
  using SaveDone = std::function<void(absl::StatusOr<v1::SaveReply>)>;
  std::map<std::string, SaveDone> saves;  // by request id

  // Of an attempt that spans nodes, by rank.
  std::map<int32_t, std::string> addresses;  // of Ready
  bool met = false;                          // Peers was sent
  // By step and rank, of ranks beside rank 0's node, not yet committed.
  std::map<std::pair<int64_t, int32_t>, v1::ShardReport> shards;
  int64_t committed_step = 0;

  int64_t step() const { return recent.empty() ? 0 : SoundStep(recent.back().step()); }
};

}  // namespace galley::service
