#include "runtime/checkpoint/folder.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace galley::checkpoint {
namespace {

// Digits as StrCat prints them: no sign, no leading zero.
std::optional<int64_t> Number(absl::string_view text) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < 0 || absl::StrCat(value) != text) return std::nullopt;
  return value;
}

}  // namespace

std::string StepFolder(int64_t step) { return absl::StrCat("step-", step); }
std::string PartialFolder(int64_t step, int64_t attempt) {
  return absl::StrCat(".step-", step, ".a", attempt);
}
std::string EpochFile(int64_t attempt) { return absl::StrCat("epoch.", attempt); }

std::optional<int64_t> StepOfFolder(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "step-")) return std::nullopt;
  return Number(name);
}

std::optional<int64_t> AttemptOfPartial(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, ".step-")) return std::nullopt;
  const size_t dot = name.find(".a");
  if (dot == absl::string_view::npos || !Number(name.substr(0, dot)).has_value()) return std::nullopt;
  return Number(name.substr(dot + 2));
}

std::optional<int64_t> AttemptOfEpoch(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "epoch.")) return std::nullopt;
  return Number(name);
}

absl::Status CheckFence(const std::string& directory, int64_t attempt) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(directory));
  for (const std::string& name : names) {
    const std::optional<int64_t> epoch = AttemptOfEpoch(name);
    if (epoch.has_value() && *epoch > attempt) {
      return absl::FailedPreconditionError(absl::StrCat(JoinPath(directory, name), ": attempt ", *epoch,
                                                        " has taken over; attempt ", attempt,
                                                        " may not commit and should end"));
    }
  }
  return absl::OkStatus();
}

absl::Status RemoveLeftovers(const std::string& directory, int64_t attempt,
                             std::vector<std::string>* removed) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(directory));
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory, name);
    const std::optional<int64_t> partial = AttemptOfPartial(name);
    const bool half_deleted = StepOfFolder(name).has_value() && !FileExists(JoinPath(path, kManifestFile)) &&
                              FileExists(JoinPath(path, kDeletedManifestFile));
    if ((partial.has_value() && *partial < attempt) || half_deleted ||
        absl::string_view(name).substr(0, 11) == "latest.tmp.") {
      RETURN_IF_ERROR(half_deleted ? DeleteCheckpoint(path) : RemoveTree(path));
      removed->push_back(path);
    }
  }
  return absl::OkStatus();
}

absl::Status DeleteCheckpoint(const std::string& path) {
  // Durable before anything is removed: after a power cut the folder either opens whole or has no manifest.
  if (FileExists(JoinPath(path, kManifestFile))) {
    RETURN_IF_ERROR(RenameDurably(JoinPath(path, kManifestFile), JoinPath(path, kDeletedManifestFile)));
  }
  const std::optional<int64_t> step = StepOfFolder(BaseName(path));
  if (!step.has_value()) return RemoveTree(path);
  // Removing a tree takes many calls; under the name of a leftover none of its states can be mistaken.
  const std::string leftover = JoinPath(DirName(path), PartialFolder(*step, kNoAttempt));
  RETURN_IF_ERROR(RemoveTree(leftover));
  RETURN_IF_ERROR(RenameDurably(path, leftover));
  return RemoveTree(leftover);
}

}  // namespace galley::checkpoint
