// Checkpoints: safetensors shards and a versioned manifest, written last. Layout and checks:
// docs/formats/checkpoint.md.
//
// Save is two-phase: Snapshot copies the views (the only time the step loop waits), then a background thread
// writes this rank's shard and calls `done` with a ShardReport. The reports of all ranks reach rank 0
// (through trainerd), which calls Commit: manifest, rename of the folder, then `latest`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tensor/view.h"

namespace galley::checkpoint {

// A tensor, or a slice of rows of one, that this rank contributes.
struct Item {
  std::string name;            // "model.layers.0.attn.qkv.weight", "optim.m.layers.0..."
  std::vector<int64_t> shape;  // of the whole tensor
  int64_t row_begin = 0;       // slice along dim 0 held in `view`
  View view;
};

struct ShardReport {
  std::string file;  // "shard-00000-of-00002.safetensors"
  int64_t bytes = 0;
  std::string xxh3;  // hex of the whole file
  std::vector<std::string> tensors;
  absl::Status status;  // of the write
};

// Small facts that stand in the manifest: key -> JSON text. Those under "state" must be equal for equal
// states (steps, samples, optimizer step); time, host, attempt and versions stand under "origin".
struct ManifestInfo {
  int64_t step = 0;
  int64_t attempt = 1;
  std::map<std::string, std::string> state;
  std::map<std::string, std::string> origin;
};

struct Manifest {
  int version = 1;
  ManifestInfo info;
  std::vector<ShardReport> shards;
};

class Writer {
 public:
  // directory: the checkpoints folder. rank/world name the shard file. The snapshot buffer is allocated here,
  // once, for `snapshot_bytes`.
  static absl::StatusOr<std::unique_ptr<Writer>> Create(std::string directory, int rank, int world,
                                                        int64_t snapshot_bytes);
  virtual ~Writer() = default;
  // Copies all items, then writes in the background into `.step-N.a<attempt>`. kFailedPrecondition while a
  // save is running.
  virtual absl::Status Snapshot(int64_t step, int64_t attempt, const std::vector<Item>& items,
                                std::function<void(ShardReport)> done) = 0;
  virtual bool busy() const = 0;
  virtual void Wait() = 0;  // until the background write has called `done`
};

// Rank 0, when every shard has reported: manifest.json, rename `.step-N.a<attempt>` -> `step-N`, then
// `latest`.
absl::Status Commit(const std::string& directory, const ManifestInfo& info,
                    const std::vector<ShardReport>& shards);

// Checks everything that can be checked without reading tensor data, and with `verify_data` the checksums
// too. Each error names file and place and a remedy.
absl::StatusOr<Manifest> Open(const std::string& checkpoint_path, bool verify_data);

// Fills every item (whole tensors or row slices, from whatever shards hold them). Missing, unexpected and
// wrong-shape tensors come in one error that lists all of them.
absl::Status Load(const std::string& checkpoint_path, const std::vector<Item>& items);

struct Entry {
  int64_t step = 0;
  std::string path;
  absl::Status status;  // of Open without data
  int64_t bytes = 0;
};
std::vector<Entry> List(const std::string& directory);  // by step; folders in progress are not listed
// The newest that opens and verifies; kNotFound when there is none. Broken ones met on the way are appended
// to `skipped`.
absl::StatusOr<std::string> FindLatest(const std::string& directory, std::vector<std::string>* skipped);

// Deletes what the policy does not keep: always the newest; the last `keep_last` (0: all); multiples of
// `keep_every` (0: none); leftovers of attempts older than `attempt`. The manifest goes first. Returns what
// was removed.
absl::StatusOr<std::vector<std::string>> ApplyRetention(const std::string& directory, int64_t keep_last,
                                                        int64_t keep_every, int64_t attempt);

}  // namespace galley::checkpoint
