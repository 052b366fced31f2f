// `order: megatron`: the samples of Megatron-Core's GPT data sets and their blend, in its order.
// Rules: docs/formats/data-order.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/data/megatron/blend.h"
#include "runtime/data/megatron/index.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/order.h"

namespace galley::data {

// Samples that the plan's split asks of each source.
std::vector<int64_t> AskedOfSources(const DataPlan& plan, Split split);

// Memory that the orders of all planned splits take in each rank.
int64_t IndexBytes(const DataPlan& plan);

class MegatronOrder final : public Order {
 public:
  // REQUIRES: a Megatron plan whose `split` is planned. Errors name the source.
  static absl::StatusOr<std::unique_ptr<MegatronOrder>> Create(const DataPlan& plan, Split split,
                                                               std::span<const IndexedDataset> sources,
                                                               int threads);

  int64_t size() const;  // samples of the split
  const IndexedDataset& source(size_t source) const { return sources_[source]; }
  const MegatronIndex& index(size_t source) const { return indices_[source]; }
  // Null: one source, read as it is.
  const MegatronBlend* blend() const { return blend_.has_value() ? &*blend_ : nullptr; }
  absl::Status Locate(int64_t sample, SampleParts& parts) const override;
  std::vector<int64_t> DrawnBySource(int64_t consumed) const override;
  // Over source, and sequence, first token and length of every part of each sample.
  uint64_t SamplesHash(int64_t first, int64_t count) const override;

 private:
  MegatronOrder(std::span<const IndexedDataset> sources, int64_t length)
      : sources_(sources), length_(length) {}
  MegatronBlend::Draw DrawAt(int64_t sample) const;

  std::span<const IndexedDataset> sources_;
  int64_t length_;
  std::vector<MegatronIndex> indices_;  // of each source
  std::optional<MegatronBlend> blend_;  // absent: one source, read as it is
};

}  // namespace galley::data
