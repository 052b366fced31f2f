// Why a rank ends: its final report to trainerd.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "galley/v1/rank.pb.h"

namespace galley::train {

v1::Finished Finish(v1::Finished::Outcome outcome, int64_t step, absl::string_view message);

// The outcome of a failure met while building or loading: what the recipe, the data or a checkpoint caused is
// CONFIG, a full disk STORAGE_FULL, an aborted collective PEER_LOST, anything else INTERNAL.
v1::Finished FinishFailed(const absl::Status& status, int64_t step);

// Exit codes of galley-rank, for launchers that read no reports: 0 completed or stopped, 75 a peer was lost
// (try again), 93 do not start again as it is, 74 storage full, 1 otherwise.
int ExitCode(v1::Finished::Outcome outcome);

}  // namespace galley::train
