// `data.kind: dummy`: tokens made of nothing, for benchmarks. A sample is a function of seed, split and
// number alone: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) over its positions.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/data/order/order.h"

namespace galley::data {

class DummyOrder final : public Order {
 public:
  DummyOrder(const DataPlan& plan, Split split);

  // out: T + 1 tokens, uniform in [0, vocab).
  void Make(int64_t sample, std::span<int32_t> out) const;

  // No source and no range: the sample is made, not read.
  absl::Status Locate(int64_t sample, SampleParts& parts) const override;
  std::vector<int64_t> DrawnBySource(int64_t) const override { return {}; }
  uint64_t SamplesHash(int64_t first, int64_t count) const override;

 private:
  uint64_t key_;
  uint64_t vocab_;
};

}  // namespace galley::data
