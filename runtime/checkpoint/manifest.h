// The manifest's text, and what it must agree with. Fields: docs/formats/checkpoint.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/shard.h"

namespace galley::checkpoint {

inline constexpr int kManifestVersion = 2;  // of those that are written; 1 is read too
inline constexpr int64_t kMaxManifestBytes = 128 << 20;

// In version 2. kInvalidArgument when a fact is no JSON. Equal manifests are equal bytes.
absl::StatusOr<std::string> ManifestText(const Manifest& manifest);

// Of version 1 or 2. Hostile bytes are fine. kDataLoss when they are not a manifest as written, or one whose
// slices do not cover every tensor once; kFailedPrecondition for another version. No path in errors.
absl::StatusOr<Manifest> ParseManifest(absl::string_view text);

// The table of tensors that these shards hold together. An error names the tensor that is not whole.
absl::StatusOr<std::map<std::string, TensorEntry>> AssembleTensors(const std::vector<ShardIndex>& shards);

}  // namespace galley::checkpoint
