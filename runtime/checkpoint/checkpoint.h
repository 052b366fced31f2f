// Checkpoints: safetensors shards and a versioned manifest, written last. Layout, checks and what a crash at
// each point leaves behind: docs/formats/checkpoint.md.
//
// Save is two-phase: Snapshot copies the views (the only time the step loop waits), then a background thread
// writes this rank's shard and calls `done` with a ShardReport. The reports of all ranks reach rank 0
// (through trainerd), which calls Commit: manifest, rename of the folder, then `latest`.
//
// Errors: kResourceExhausted for a full disk, kDataLoss for bytes that are not what was written,
// kNotFound for what is missing, kFailedPrecondition for what is valid but does not fit. Each
// names file, position and remedy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/plan/slice.h"
#include "runtime/tensor/stream.h"
#include "runtime/tensor/view.h"

namespace galley::checkpoint {

// A slice of a tensor, and where it is in memory. A rank may have several of one tensor
// (its rows of q, of k and of v).
struct Item {
  std::string name;            // "model.layers.0.attn.qkv.weight", "optim.m.layers.0..."
  std::vector<int64_t> shape;  // of the whole tensor
  plan::Slice slice;
  View view;  // contiguous; its shape is the slice's size

  static Item Whole(std::string name, View view);
};

// What rank `rank` of `world` writes of `items`, of which all these ranks hold the same list: consecutive
// ranges of about equal bytes. An item of 1 MiB or more may be cut between rows. A pure function; over all
// ranks every element comes exactly once.
std::vector<Item> Share(const std::vector<Item>& items, int rank, int world);
int64_t TotalBytes(const std::vector<Item>& items);

struct ShardReport {
  std::string file;  // "shard-00000-of-00002.safetensors"
  int64_t bytes = 0;
  std::string xxh3;  // hex of the whole file
  std::vector<std::string> tensors;
  absl::Status status;  // of the write
};

// Small facts of the manifest: key -> JSON text. Those under "state" must be equal for equal
// states (steps, samples, optimizer step); time and host are under "origin".
struct ManifestInfo {
  int64_t step = 0;
  int64_t attempt = 1;
  std::map<std::string, std::string> state;
  std::map<std::string, std::string> origin;
};

struct TensorPart {
  int shard = 0;  // index into Manifest::shards
  plan::Slice slice;
  bool operator==(const TensorPart&) const = default;
};
struct TensorEntry {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::vector<TensorPart> parts;  // by where they begin; every element is in exactly one
  bool operator==(const TensorEntry&) const = default;
};
struct Manifest {
  ManifestInfo info;
  std::vector<ShardReport> shards;
  std::map<std::string, TensorEntry> tensors;
  int64_t bytes = 0;  // of all shards
};

// JSON text for a fact, and back. The readers name `key` when it is missing or of another kind.
std::string Fact(int64_t value);
std::string Fact(double value);  // shortest text that reads back to the same bits
std::string Fact(absl::string_view text);
using Facts = std::map<std::string, std::string>;
absl::StatusOr<int64_t> IntFact(const Facts& facts, const std::string& key);
absl::StatusOr<double> DoubleFact(const Facts& facts, const std::string& key);
absl::StatusOr<std::string> TextFact(const Facts& facts, const std::string& key);

class Writer {
 public:
  // directory: the checkpoints folder. rank/world name the shard file. The snapshot buffer is allocated and
  // touched here, once, for `snapshot_bytes`.
  static absl::StatusOr<std::unique_ptr<Writer>> Create(std::string directory, int rank, int world,
                                                        int64_t snapshot_bytes);
  virtual ~Writer() = default;  // waits for a running write
  // Copies all items from the stream's device as its work so far leaves them, then writes in the background
  // into `.step-N.a<attempt>`. `items` is this rank's Share. kFailedPrecondition while a save is running.
  // Whatever fails later (a full disk) is in the report; then this rank's shard is gone again. `done` runs on
  // the writing thread and must not call Snapshot.
  virtual absl::Status Snapshot(Stream& stream, int64_t step, int64_t attempt, const std::vector<Item>& items,
                                std::function<void(ShardReport)> done) = 0;
  virtual bool busy() const = 0;
  virtual void Wait() = 0;  // until the background write has called `done`
};

// Rank 0, before an attempt's first step: marks the folder (made when missing) with `epoch.<attempt>`, so
// that a late Commit of an older attempt is refused, and removes what older attempts left half-written.
// `owner` names the run. kFailedPrecondition when a newer attempt has marked it, or another run owns it.
absl::Status Claim(const std::string& directory, int64_t attempt, absl::string_view owner);

// Rank 0, when every shard has reported: manifest.json, rename `.step-N.a<attempt>` -> `step-N`, then
// `latest`. Blocks on the disk; any thread, one call at a time. A `step-N` that is there already is
// replaced as a whole. When it fails, also because a report has failed, the folder in progress is removed
// and earlier checkpoints are kept.
absl::Status Commit(const std::string& directory, const ManifestInfo& info,
                    const std::vector<ShardReport>& shards);

// Checks everything that can be checked without reading tensor data, and with `verify_data` the checksums
// too. The first fault that Verify would find.
absl::StatusOr<Manifest> Open(const std::string& checkpoint_path, bool verify_data);

// Every fault of a checkpoint, tensor data included; none: it is valid.
struct Fault {
  std::string file;
  absl::Status status;
};
std::vector<Fault> Verify(const std::string& checkpoint_path);

// Fills every item from whatever shards hold slices of its tensor, so the mesh that saved need not be the one
// that loads, and checks the checksums of all shards on the way. Missing, unexpected and wrong-shape tensors
// come in one error that lists all of them, before any view is written; tensors whose name starts with one of
// `ignore` need not be asked for. Views are of the stream's device and written in the order of its work.
// After another error they hold no meaningful values.
absl::Status Load(Stream& stream, const std::string& checkpoint_path, const std::vector<Item>& items,
                  const std::vector<std::string>& ignore = {});

struct Entry {
  int64_t step = 0;
  std::string path;
  absl::Status status;  // of Open without data
  int64_t bytes = 0;
  int64_t attempt = 0;  // 0 when it does not open
};
std::vector<Entry> List(const std::string& directory);  // by step; folders in progress are not listed
// The newest that opens and verifies, data included: of the latest attempt, then of the highest step.
// kNotFound when there is none. Broken ones met on the way, and a `latest` that disagrees, are
// appended to `skipped` (may be null).
absl::StatusOr<std::string> FindLatest(const std::string& directory, std::vector<std::string>* skipped);

using KeepForGood = std::function<bool(int64_t step)>;
// Deletes what the policy does not keep: always the newest; the last `keep_last` (0: all); multiples of
// steps that `keep_for_good` names (may be null); leftovers of attempts older than `attempt`. Broken ones
// do not count. The manifest goes first. Returns what was removed; kFailedPrecondition when a newer
// attempt has marked the folder.
absl::StatusOr<std::vector<std::string>> ApplyRetention(const std::string& directory, int64_t keep_last,
                                                        const KeepForGood& keep_for_good, int64_t attempt);

}  // namespace galley::checkpoint
