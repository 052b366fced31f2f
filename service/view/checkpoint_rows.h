// Checkpoints as rows, with what each had read of its sources.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "galley/v1/controller.pb.h"
#include "runtime/checkpoint/checkpoint.h"
#include "service/view/row.h"

namespace galley::view {

// Reads the checkpoint's manifest.
v1::CheckpointMessage MessageOf(const checkpoint::Entry& entry);

// An error names the checkpoint whose lineage cannot be read.
absl::StatusOr<std::vector<Row>> RowsOf(const v1::CheckpointMessage& checkpoint);        // one
absl::StatusOr<std::vector<Row>> SourceRowsOf(const v1::CheckpointMessage& checkpoint);  // one a source

}  // namespace galley::view
