#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/folder.h"

namespace galley::checkpoint {
namespace {

// Newest first: of the latest attempt, then of the highest step. An attempt that went back to an earlier step
// has left the later ones of older attempts behind; they are not its past.
std::vector<Entry> NewestFirst(const std::string& directory) {
  std::vector<Entry> entries = List(directory);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(!a.status.ok(), -a.attempt, -a.step) < std::tuple(!b.status.ok(), -b.attempt, -b.step);
  });
  return entries;
}

void Note(std::vector<std::string>* skipped, std::string text) {
  if (skipped != nullptr) skipped->push_back(std::move(text));
}

}  // namespace

std::vector<Entry> List(const std::string& directory) {
  std::vector<Entry> entries;
  auto names = ListDir(directory);
  if (!names.ok()) return entries;
  for (const std::string& name : *names) {
    const std::optional<int64_t> step = StepOfFolder(name);
    if (!step.has_value()) continue;
    Entry entry{.step = *step, .path = JoinPath(directory, name), .status = {}};
    // One whose deletion was cut short is on its way out.
    if (FileExists(JoinPath(entry.path, kDeletedManifestFile))) continue;
    auto manifest = Open(entry.path, false);
    entry.status = manifest.status();
    if (manifest.ok()) {
      entry.bytes = manifest->bytes;
      entry.attempt = manifest->info.attempt;
    }
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.step < b.step; });
  return entries;
}

absl::StatusOr<std::string> FindLatest(const std::string& directory, std::vector<std::string>* skipped) {
  std::string found;
  for (const Entry& entry : NewestFirst(directory)) {
    absl::Status status = entry.status;
    // Data is read of the newest only, until one is found intact: a look at all would read every checkpoint.
    if (status.ok() && found.empty()) {
      status = Open(entry.path, true).status();
      if (status.ok()) found = entry.path;
    }
    if (!status.ok()) Note(skipped, std::string(status.message()));
  }
  if (found.empty()) {
    return absl::NotFoundError(absl::StrCat(directory, ": no complete checkpoint here"));
  }
  const std::string latest = JoinPath(directory, kLatestFile);
  auto text = ReadFile(latest, 4096);
  if (!text.ok() || *text != absl::StrCat(BaseName(found), "\n")) {
    Note(skipped,
         absl::StrCat(latest, ": ", text.ok() ? "does not name" : "can not be read and should name", " ",
                      BaseName(found), ", the newest valid checkpoint; the next save rewrites it"));
  }
  return found;
}

absl::StatusOr<std::vector<std::string>> ApplyRetention(const std::string& directory, int64_t keep_last,
                                                        const KeepForGood& keep_for_good, int64_t attempt) {
  std::vector<std::string> removed;
  RETURN_IF_ERROR(CheckFence(directory, attempt));
  RETURN_IF_ERROR(RemoveLeftovers(directory, attempt, &removed));
  const std::vector<Entry> entries = NewestFirst(directory);
  if (keep_last <= 0) return removed;
  int64_t valid = 0;
  int64_t oldest_kept = 0;
  for (const Entry& entry : entries) {
    if (entry.status.ok()) {
      if (++valid <= keep_last) {
        oldest_kept = entry.step;
        continue;
      }
    } else if (valid == 0 || entry.step > oldest_kept) {
      continue;  // a broken one does not count, and stays to be looked at until newer valid ones outnumber it
    }
    if (entry.status.ok() && keep_for_good != nullptr && keep_for_good(entry.step)) continue;
    RETURN_IF_ERROR(DeleteCheckpoint(entry.path));
    removed.push_back(entry.path);
  }
  return removed;
}

}  // namespace galley::checkpoint
