#include <fcntl.h>
#include <stdio.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/folder.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/checkpoint/shard.h"

namespace galley::checkpoint {
namespace {

absl::Status CheckReports(const std::vector<ShardReport>& shards) {
  std::vector<std::string> failed;
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  for (const ShardReport& shard : shards) {
    if (shard.status.ok()) continue;
    if (failed.empty()) code = shard.status.code();
    failed.push_back(std::string(shard.status.message()));
  }
  if (failed.empty()) return absl::OkStatus();
  return absl::Status(code, absl::StrJoin(failed, "; "));
}

// The shards as they lie on disk must be those that were reported.
absl::StatusOr<Manifest> MakeManifest(const std::string& folder, const ManifestInfo& info,
                                      const std::vector<ShardReport>& shards) {
  RETURN_IF_ERROR(CheckReports(shards));
  Manifest manifest{.version = kManifestVersion, .info = info, .shards = {}, .tensors = {}};
  manifest.shards.resize(shards.size());
  std::vector<ShardIndex> indexes(shards.size());
  for (const ShardReport& shard : shards) {
    size_t place = 0;
    while (place < shards.size() &&
           shard.file != ShardFileName(static_cast<int>(place), static_cast<int>(shards.size()))) {
      ++place;
    }
    if (place == shards.size() || !manifest.shards[place].file.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(folder, ": a report of ", shard.file,
                                                        " among those of ", shards.size(),
                                                        " ranks; each rank reports once"));
    }
    const std::string path = JoinPath(folder, shard.file);
    ASSIGN_OR_RETURN(indexes[place], ReadShardIndex(path));
    if (indexes[place].file_bytes != shard.bytes) {
      return absl::DataLossError(absl::StrCat(path, ": has ", indexes[place].file_bytes,
                                              " bytes, its rank wrote ", shard.bytes,
                                              "; is the folder shared by all nodes?"));
    }
    manifest.shards[place] = shard;
    manifest.bytes += shard.bytes;
  }
  auto tensors = AssembleTensors(indexes);
  if (!tensors.ok()) return Annotate(tensors.status(), folder);
  manifest.tensors = *std::move(tensors);
  return manifest;
}

// `to` is there already when a step is taken again, or saved twice. The new folder takes its place in one
// move where the file system can exchange names. Where it can not, the old one is moved aside first; in the
// instant between, step N is absent and the checkpoint before it is the newest.
absl::Status MoveIntoPlace(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return FsyncDir(DirName(to));
  }
  if (!FileExists(to)) return RenameDurably(from, to);  // no flags on this file system
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    RETURN_IF_ERROR(FsyncDir(DirName(to)));
    (void)DeleteCheckpoint(from);  // if that fails, the next attempt collects it
    return absl::OkStatus();
  }
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) {
    return ErrnoStatus(errno, absl::StrCat(from, " <-> ", to));
  }
  const std::string aside = JoinPath(DirName(to), PartialFolder(*StepOfFolder(BaseName(to)), kNoAttempt));
  RETURN_IF_ERROR(RemoveTree(aside));
  RETURN_IF_ERROR(RenameDurably(to, aside));
  if (absl::Status status = RenameDurably(from, to); !status.ok()) {
    (void)RenameDurably(aside, to);
    return status;
  }
  (void)RemoveTree(aside);
  return absl::OkStatus();
}

absl::Status Seal(const std::string& directory, const std::string& folder, const ManifestInfo& info,
                  const std::vector<ShardReport>& shards) {
  RETURN_IF_ERROR(CheckFence(directory, info.attempt));
  ASSIGN_OR_RETURN(Manifest manifest, MakeManifest(folder, info, shards));
  ASSIGN_OR_RETURN(std::string text, ManifestText(manifest));
  RETURN_IF_ERROR(AtomicWrite(JoinPath(folder, kManifestFile), text));
  return CheckFence(directory, info.attempt);
}

}  // namespace

absl::Status Commit(const std::string& directory, const ManifestInfo& info,
                    const std::vector<ShardReport>& shards) {
  const std::string folder = JoinPath(directory, PartialFolder(info.step, info.attempt));
  const std::string name = StepFolder(info.step);
  absl::Status status = Seal(directory, folder, info, shards);
  if (status.ok()) status = MoveIntoPlace(folder, JoinPath(directory, name));
  if (!status.ok()) {
    (void)RemoveTree(folder);
    return Annotate(status, absl::StrCat("step ", info.step, " is not saved"));
  }
  status = AtomicWrite(JoinPath(directory, kLatestFile), absl::StrCat(name, "\n"));
  return Annotate(status, absl::StrCat(name, " is saved and will be found, but `latest` does not name it"));
}

}  // namespace galley::checkpoint
