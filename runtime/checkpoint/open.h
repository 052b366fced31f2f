// A checkpoint with its shards' headers read and checked against the manifest.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/checkpoint/shard.h"

namespace galley::checkpoint {

struct Opened {
  Manifest manifest;
  std::vector<ShardIndex> shards;  // one for each of manifest.shards
};

absl::StatusOr<Opened> OpenShards(const std::string& checkpoint_path, bool verify_data);

}  // namespace galley::checkpoint
