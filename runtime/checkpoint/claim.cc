// The fence against attempts that no longer own a run: operations on the folder alone, with no help from the
// controller. Each attempt leaves `epoch.<attempt>` before its first step; Commit refuses when a higher one
// is there. A commit that slips through in the instant between that check and its rename adds a checkpoint of
// a lower attempt, and FindLatest prefers the higher one.

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/folder.h"

namespace galley::checkpoint {

absl::Status Claim(const std::string& directory, int64_t attempt, absl::string_view owner) {
  RETURN_IF_ERROR(MakeDirs(directory));
  RETURN_IF_ERROR(CheckFence(directory, attempt));
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(directory));
  const std::string text = absl::StrCat(owner, "\n");
  for (const std::string& name : names) {
    if (!AttemptOfEpoch(name).has_value()) continue;
    ASSIGN_OR_RETURN(std::string other, ReadFile(JoinPath(directory, name), 4096));
    // An empty mark was cut short by a crash before its owner was written; it still fences.
    if (other.empty() || other == text) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(directory, ": holds the checkpoints of run ", absl::StripSuffix(other, "\n"),
                     ", this is run ", owner, "; resume that run, or give another checkpoint.directory"));
  }
  RETURN_IF_ERROR(AtomicWrite(JoinPath(directory, EpochFile(attempt)), text));
  // Looked at again after the mark is there: of two attempts that claim at once, the older sees the newer.
  RETURN_IF_ERROR(CheckFence(directory, attempt));
  for (const std::string& name : names) {
    const std::optional<int64_t> epoch = AttemptOfEpoch(name);
    if (epoch.has_value() && *epoch < attempt) RETURN_IF_ERROR(RemoveTree(JoinPath(directory, name)));
  }
  std::vector<std::string> removed;
  return RemoveLeftovers(directory, attempt, &removed);
}

}  // namespace galley::checkpoint
