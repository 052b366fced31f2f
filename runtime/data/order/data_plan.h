// The data plan: everything that decides which tokens a sample holds, frozen
// into the checkpoint. It holds no rank count, no micro-batch and no path in
// its hash, so a run may move and change shape without changing its order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/data/megatron/epochs.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

enum class Split { kTrain = 0, kValid = 1, kTest = 2 };
absl::string_view Name(Split split);

// The version of the order's rules; written in plan and manifest. Rules: docs/formats/data-order.md.
inline constexpr absl::string_view kOrderVersion = "galley-order-v1";
inline constexpr absl::string_view kPackedVersion = "galley-packed-v1";
inline constexpr absl::string_view kDummyVersion = "dummy-v1";
inline constexpr absl::string_view kMegatron014 = "megatron-core-0.14";
inline constexpr absl::string_view kMegatron010 = "megatron-core-0.10";

inline constexpr int64_t kMaxSources = 4096;

struct SourceConfig {
  std::string path;  // prefix of .bin and .idx
  double weight = 1;
};

// Plain numbers of a recipe's data section.
struct DataConfig {
  std::vector<SourceConfig> train;
  std::vector<double> split = {969, 30, 1};  // shares of train, valid and test; normalised
  int64_t seed = 0;
  int64_t sequence_length = 0;  // T; a sample holds T + 1 tokens
  int64_t vocab = 0;            // ids are in [0, vocab)
  bool needs_valid = false;     // evaluation asks for it: then an empty valid split is an error
  std::string order{kOrderVersion};
  // Stretches of the training order that are not read, in samples of the run: each as the run would have met
  // it, with those before it left out. Rising by begin.
  std::vector<Range> skip = {};
  // Of Megatron's orders, which depend on how many samples are asked for: in the whole run, and in all of its
  // evaluations. A blend of one source asks for more than the source alone.
  int64_t train_samples = 0;
  int64_t run_samples = 0;  // what the run will read; an order that holds fewer is an error
  int64_t valid_samples = 0;
  bool blend_one_source = false;
};

struct PlannedSource {
  std::string path;         // where it was when the plan was made; not in the hash
  std::string fingerprint;  // 16 hex digits, IndexedDataset::Fingerprint
  double weight = 1;        // as the recipe has it
  int64_t share = 1;        // of DataPlan::period; galley's order
  int64_t tokens = 0;
  std::array<Range, 3> sequences;        // of train, valid, test
  std::array<Range, 3> stream;           // the same as tokens of the stream
  std::array<MegatronEpochs, 3> epochs;  // Megatron's orders
  std::array<int64_t, 3> bins = {};      // packed: samples that hold each split's documents
};

struct DataPlan {
  std::string version{kOrderVersion};
  int64_t seed = 0;
  int64_t sequence_length = 0;
  int64_t vocab = 0;
  int64_t period = 1;  // the shares' sum: galley's blend repeats after so many samples
  // Megatron's orders: samples asked of each split, and whether they come from a blend.
  std::array<int64_t, 3> samples = {};
  bool blended = false;
  // Of the training order, not read; in its own samples, rising, not touching.
  std::vector<Range> skip;
  std::vector<PlannedSource> sources;  // of dummy data: none

  bool megatron() const { return version == kMegatron014 || version == kMegatron010; }
  bool packed() const { return version == kPackedVersion; }
  bool dummy() const { return version == kDummyVersion; }
  // Samples in one pass over a source's split: windows of T + 1 tokens that share one token with the next, or
  // bins of documents. In Megatron's orders: the samples of all epochs.
  int64_t Windows(int64_t source, Split split) const;
  int64_t Windows(Split split) const;  // of all sources
};

// Opens every source. Errors name the file and the remedy: missing files, float tokens, a source whose
// training split (or valid split, when needed) holds no window.
absl::StatusOr<DataPlan> BuildDataPlan(const DataConfig& config);

// Element ranges of a split over n elements: cumulative shares, rounded half to even (Megatron-Core's rule).
absl::StatusOr<std::array<Range, 3>> SplitRanges(const std::vector<double>& split, int64_t n);

// Canonical JSON, one line; the same plan gives the same bytes.
std::string ToJson(const DataPlan& plan);
absl::StatusOr<DataPlan> ParseDataPlan(absl::string_view json);

// Over all that decides the order of the training split; 16 hex digits.
std::string Hash(const DataPlan& plan);

// kFailedPrecondition when going on with `now` after `consumed` samples of `saved` would reorder what was
// seen or is yet to come: names each difference and the remedy. With nothing consumed every plan will do.
absl::Status CheckResume(const DataPlan& saved, const DataPlan& now, int64_t consumed);

}  // namespace galley::data
