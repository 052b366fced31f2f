// Names in a checkpoints folder:
//   step-N/              a complete checkpoint      .step-N.a<attempt>/  one in progress, or a leftover of it
//   latest               "step-N"                   epoch.<attempt>      the mark of an attempt, see claim.cc
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace galley::checkpoint {

inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr char kDeletedManifestFile[] = "manifest.deleted";
// In the name of a folder on its way out: older than any attempt, so RemoveLeftovers takes it.
inline constexpr int64_t kNoAttempt = 0;
inline constexpr char kLatestFile[] = "latest";

std::string StepFolder(int64_t step);                         // "step-200"
std::string PartialFolder(int64_t step, int64_t attempt);     // ".step-200.a3"
std::string EpochFile(int64_t attempt);                       // "epoch.3"
std::optional<int64_t> StepOfFolder(absl::string_view name);  // exactly as written above, else nullopt
std::optional<int64_t> AttemptOfPartial(absl::string_view name);
std::optional<int64_t> AttemptOfEpoch(absl::string_view name);

// kFailedPrecondition when `directory` bears the mark of an attempt newer than `attempt`.
// A folder without marks is ok.
absl::Status CheckFence(const std::string& directory, int64_t attempt);

// Removes folders in progress of attempts older than `attempt`, folders whose deletion was cut short, and
// temporary files of `latest`. Appends what was removed.
absl::Status RemoveLeftovers(const std::string& directory, int64_t attempt,
                             std::vector<std::string>* removed);

// Deletes one checkpoint, its manifest first: wherever this is interrupted, no manifest is left with
// shards missing.
absl::Status DeleteCheckpoint(const std::string& path);

}  // namespace galley::checkpoint
