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

// The shards on disk must be those that were reported.
absl::StatusOr<Manifest> MakeManifest(const std::string& folder, const ManifestInfo& info,
                                      const std::vector<ShardReport>& shards) {
  RETURN_IF_ERROR(CheckReports(shards));
  Manifest manifest{.info = info, .shards = {}, .tensors = {}};
  manifest.shards.resize(shards.size());
  std::vector<ShardIndex> indexes(shards.size());
  for (const ShardReport& shard : shards) {
    size_t rank = 0;
    while (rank < shards.size() &&
           shard.file != ShardFileName(static_cast<int>(rank), static_cast<int>(shards.size()))) {
      ++rank;
    }
    if (rank == shards.size() || !manifest.shards[rank].file.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(folder, ": a report of ", shard.file,
                                                        " among those of ", shards.size(),
                                                        " ranks; each rank reports once"));
    }
    const std::string path = JoinPath(folder, shard.file);
    ASSIGN_OR_RETURN(indexes[rank], ReadShardIndex(path));
    if (indexes[rank].file_bytes != shard.bytes) {
      return absl::DataLossError(absl::StrCat(path, ": has ", indexes[rank].file_bytes,
                                              " bytes, its rank wrote ", shard.bytes,
                                              "; is the folder shared by all nodes?"));
    }
    manifest.shards[rank] = shard;
    manifest.bytes += shard.bytes;
  }
  auto tensors = AssembleTensors(indexes);
  if (!tensors.ok()) return Annotate(tensors.status(), folder);
  manifest.tensors = *std::move(tensors);
  return manifest;
}

// The folder under its final name. The parent is synced last: only then does the rename outlive a power cut,
// and the files in the folder were synced before, so no crash shows the name without them.
//
// `to` exists already when a step is taken again, or saved twice. The two folders exchange names in one call
// where the file system can. Where it can not, the old one is moved aside first; in the instant between, step
// N is absent and the checkpoint before it is the newest.
absl::Status Publish(const std::string& from, const std::string& to) {
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

// The fence is checked twice: before, so that an attempt that has lost the run does not touch the folder, and
// as late as can be, right before the rename, since writing may have taken long.
absl::Status WriteManifest(const std::string& directory, const std::string& folder, const ManifestInfo& info,
                           const std::vector<ShardReport>& shards) {
  RETURN_IF_ERROR(CheckFence(directory, info.attempt));
  ASSIGN_OR_RETURN(Manifest manifest, MakeManifest(folder, info, shards));
  ASSIGN_OR_RETURN(std::string text, ManifestText(manifest));
  RETURN_IF_ERROR(AtomicWrite(JoinPath(folder, kManifestFile), text));  // syncs the file and the folder
  return CheckFence(directory, info.attempt);
}

}  // namespace

absl::Status Commit(const std::string& directory, const ManifestInfo& info,
                    const std::vector<ShardReport>& shards) {
  const std::string folder = JoinPath(directory, PartialFolder(info.step, info.attempt));
  const std::string name = StepFolder(info.step);
  absl::Status status = WriteManifest(directory, folder, info, shards);
  if (status.ok()) status = Publish(folder, JoinPath(directory, name));
  if (!status.ok()) {
    (void)RemoveTree(folder);
    return Annotate(status, absl::StrCat("step ", info.step, " is not saved"));
  }
  status = AtomicWrite(JoinPath(directory, kLatestFile), absl::StrCat(name, "\n"));
  return Annotate(status, absl::StrCat(name, " is saved and will be found, but `latest` does not name it"));
}

}  // namespace galley::checkpoint
