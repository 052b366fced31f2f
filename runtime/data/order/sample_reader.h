// One sample of a data plan, from files to token ids: located
// by the order, read, checked, its documents' borders found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/order.h"

namespace galley::data {

// What the borders between the documents of a sample do to it (document_mask.h).
struct MaskOptions {
  bool starts = false;              // the position at which each position's document begins is asked for
  bool eod_loss = true;             // false: no label at a document's last position
  std::optional<int32_t> eod = {};  // this token ends documents; none: the .idx says where they end
};

struct SampleOptions {
  Split split = Split::kTrain;
  int index_threads = 4;  // while Open builds the order's indices
  MaskOptions mask = {};
  int32_t pad = 0;  // id of positions that are padding
};

// Immutable and thread-safe, with one Scratch a thread.
class SampleReader {
 public:
  struct Scratch {
    std::vector<std::byte> bytes;
    SampleParts parts;  // of the last sample read
  };

  // Opens the sources of `plan` where they lie and checks their fingerprints.
  static absl::StatusOr<SampleReader> Open(const DataPlan& plan, const SampleOptions& options);

  Scratch MakeScratch() const;

  // out: T + 1 ids. starts: T + 1 positions, or empty when no mask needs them. Returns how many positions of
  // `out` are no padding. kUnavailable is a read that failed and may be tried again; other errors name file
  // and offset too (a file cut short, an id outside the vocabulary). Allocates nothing.
  absl::StatusOr<int64_t> Read(int64_t sample, std::span<int32_t> out, std::span<int32_t> starts,
                               Scratch& scratch) const;

  bool needs_starts() const { return mask_.starts || !mask_.eod_loss; }
  const MaskOptions& mask() const { return mask_; }
  int64_t length() const { return length_; }  // T
  const Order& order() const { return *order_; }
  const std::vector<IndexedDataset>& sources() const { return *sources_; }

 private:
  SampleReader(const DataPlan& plan, const SampleOptions& options);
  absl::Status CheckIds(std::span<const int32_t> ids, const SampleParts& parts) const;
  absl::Status Starts(std::span<const int32_t> ids, const SampleParts& parts,
                      std::span<int32_t> starts) const;

  int64_t length_;
  int64_t vocab_;
  MaskOptions mask_;
  int32_t pad_;
  std::unique_ptr<std::vector<IndexedDataset>> sources_;
  std::unique_ptr<const Order> order_;  // refers to the sources
  const class DummyOrder* dummy_ = nullptr;
};

}  // namespace galley::data
