// What a checkpoint's manifest says of a run's state, and whether this run may go on from it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/data/order/lineage.h"
#include "runtime/prepare/prepare.h"

namespace galley::train {

// The state that is not in tensors. Equal states are equal values: no time, host or attempt.
struct RunState {
  int64_t step = 0;            // updates done
  int64_t samples = 0;         // consumed
  int64_t optimizer_step = 0;  // AdamW's counter
  std::string recipe_hash;     // recipe::IdentityHash of the fixed fields
  std::string data_plan;       // data plan as JSON
};

checkpoint::ManifestInfo ToManifest(const RunState& state, int64_t attempt, const checkpoint::Facts& origin);
// What was read of each source; nothing that a resume needs.
void AddLineage(const data::Lineage& lineage, checkpoint::ManifestInfo& info);
// kDataLoss naming the missing or malformed key.
absl::StatusOr<RunState> FromManifest(const checkpoint::Manifest& manifest, const std::string& path);

}  // namespace galley::train
