// `packing: best_fit`: samples of whole documents, drawn as `order: galley` draws windows.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/data/order/galley_order.h"
#include "runtime/data/order/packing.h"

namespace galley::data {

class PackedOrder final : public Order {
 public:
  // Packs every source again, with `threads`. kFailedPrecondition when one packs otherwise than the plan has
  // it: it is not the file that the plan was made from.
  static absl::StatusOr<std::unique_ptr<PackedOrder>> Create(const DataPlan& plan, Split split,
                                                             std::span<const IndexedDataset> sources,
                                                             int threads);

  absl::Status Locate(int64_t sample, SampleParts& parts) const override;
  std::vector<int64_t> DrawnBySource(int64_t consumed) const override {
    return bins_.DrawnBySource(consumed);
  }
  // Over source and bin of each sample.
  uint64_t SamplesHash(int64_t first, int64_t count) const override {
    return bins_.SamplesHash(first, count);
  }

 private:
  PackedOrder(const DataPlan& plan, Split split, std::vector<Packing> packings)
      : bins_(plan, split), packings_(std::move(packings)) {}

  GalleyOrder bins_;  // whose windows are the bins
  std::vector<Packing> packings_;
};

}  // namespace galley::data
