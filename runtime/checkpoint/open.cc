#include <algorithm>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/folder.h"
#include "runtime/checkpoint/open.h"

namespace galley::checkpoint {
namespace {

constexpr char kRemedy[] = "; use another checkpoint, or restore this one from a copy";

// Gets each fault; false: enough.
using Sink = absl::FunctionRef<bool(std::string file, absl::Status status)>;

absl::StatusOr<Manifest> ReadManifest(const std::string& path) {
  const std::string file = JoinPath(path, kManifestFile);
  auto text = ReadFile(file, kMaxManifestBytes);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat(
        file, FileExists(path) ? ": missing, so this checkpoint is not complete" : ": no such checkpoint",
        "; `trainctl checkpoints` lists the existing ones"));
  }
  if (!text.ok()) return text.status();
  auto manifest = ParseManifest(*text);
  if (absl::IsDataLoss(manifest.status())) {
    return absl::DataLossError(absl::StrCat(file, ": ", manifest.status().message(), kRemedy));
  }
  if (!manifest.ok()) return Annotate(manifest.status(), file);
  const std::optional<int64_t> step = StepOfFolder(BaseName(path));
  if (step.has_value() && *step != manifest->info.step) {
    return absl::FailedPreconditionError(absl::StrCat(file, ": is the manifest of step ", manifest->info.step,
                                                      ", not of step ", *step, kRemedy));
  }
  return manifest;
}

absl::StatusOr<ShardIndex> CheckShard(const std::string& file, const ShardReport& shard) {
  auto bytes = FileSize(file);
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat(file, ": missing, the manifest names it", kRemedy));
  }
  if (!bytes.ok()) return bytes.status();
  if (*bytes != shard.bytes) {
    return absl::DataLossError(
        absl::StrCat(file, ": has ", *bytes, " bytes, the manifest says ", shard.bytes, kRemedy));
  }
  auto index = ReadShardIndex(file);
  if (absl::IsDataLoss(index.status())) {
    return absl::DataLossError(absl::StrCat(index.status().message(), kRemedy));
  }
  return index;
}

absl::Status CheckTensors(const std::string& path, const Opened& opened) {
  auto held = AssembleTensors(opened.shards);
  if (!held.ok()) return absl::DataLossError(absl::StrCat(path, ": ", held.status().message(), kRemedy));
  for (const auto& [name, entry] : opened.manifest.tensors) {
    auto it = held->find(name);
    if (it == held->end() || entry != it->second) {
      return absl::DataLossError(
          absl::StrCat(path, ": tensor ", name,
                       " is not in the shards as the manifest says; a file is from another "
                       "checkpoint",
                       kRemedy));
    }
  }
  for (const auto& [name, entry] : *held) {
    if (!opened.manifest.tensors.contains(name)) {
      return absl::DataLossError(absl::StrCat(
          JoinPath(path, opened.manifest.shards[static_cast<size_t>(entry.parts[0].shard)].file), ": tensor ",
          name, " is not in the manifest; this file is from another checkpoint", kRemedy));
    }
  }
  return absl::OkStatus();
}

void CheckExtra(const std::string& path, const Manifest& manifest, Sink sink) {
  auto names = ListDir(path);
  if (!names.ok()) {
    sink(path, names.status());
    return;
  }
  for (const std::string& name : *names) {
    if (name.substr(0, 6) != "shard-") continue;
    const bool known = std::any_of(manifest.shards.begin(), manifest.shards.end(),
                                   [&](const ShardReport& shard) { return shard.file == name; });
    if (known) continue;
    const std::string file = JoinPath(path, name);
    if (!sink(file, absl::FailedPreconditionError(absl::StrCat(
                        file, ": the manifest does not name it; move it out of the checkpoint")))) {
      return;
    }
  }
}

// The one walk over a checkpoint; Open stops it at the first fault.
Opened Walk(const std::string& path, bool verify_data, Sink sink) {
  Opened opened;
  auto manifest = ReadManifest(path);
  if (!manifest.ok()) {
    sink(JoinPath(path, kManifestFile), manifest.status());
    return opened;
  }
  opened.manifest = *std::move(manifest);
  bool whole = true;
  for (const ShardReport& shard : opened.manifest.shards) {
    const std::string file = JoinPath(path, shard.file);
    auto index = CheckShard(file, shard);
    absl::Status status = index.status();
    if (status.ok() && verify_data) status = VerifyShard(file, *index, shard.xxh3);
    whole = whole && index.ok();
    opened.shards.push_back(index.ok() ? *std::move(index) : ShardIndex{});
    if (!status.ok() && !sink(file, status)) return opened;
  }
  // Without one of the shards, its tensors would be reported too.
  if (whole) {
    absl::Status status = CheckTensors(path, opened);
    if (!status.ok() && !sink(path, status)) return opened;
  }
  CheckExtra(path, opened.manifest, sink);
  return opened;
}

}  // namespace

absl::StatusOr<Opened> OpenShards(const std::string& checkpoint_path, bool verify_data) {
  absl::Status first;
  Opened opened = Walk(checkpoint_path, verify_data, [&](const std::string&, absl::Status status) {
    first = std::move(status);
    return false;
  });
  if (!first.ok()) return first;
  return opened;
}

absl::StatusOr<Manifest> Open(const std::string& checkpoint_path, bool verify_data) {
  ASSIGN_OR_RETURN(Opened opened, OpenShards(checkpoint_path, verify_data));
  return std::move(opened.manifest);
}

std::vector<Fault> Verify(const std::string& checkpoint_path) {
  std::vector<Fault> faults;
  (void)Walk(checkpoint_path, true, [&](std::string file, absl::Status status) {
    faults.push_back({std::move(file), std::move(status)});
    return true;
  });
  return faults;
}

}  // namespace galley::checkpoint
