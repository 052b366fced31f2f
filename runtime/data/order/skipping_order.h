// `data.skip`: an order without some of its samples, for a stretch that a run is not to see again.
#pragma once

#include <memory>
#include <vector>

#include "runtime/data/order/order.h"

namespace galley::data {

// Where the sample stands in the whole order that is n-th among those outside `skip`. `skip`: rising ranges
// of samples that do not touch.
int64_t Unskipped(const std::vector<Range>& skip, int64_t n);

// The stretches of the whole order that the first `count` of those samples are.
std::vector<Range> StretchesRead(const std::vector<Range>& skip, int64_t count);

class SkippingOrder final : public Order {
 public:
  SkippingOrder(std::unique_ptr<const Order> whole, std::vector<Range> skip);

  absl::Status Locate(int64_t sample, SampleParts& parts) const override;
  std::vector<int64_t> DrawnBySource(int64_t consumed) const override;
  // That of the whole order, where the samples lie side by side in it; else over those of its stretches.
  uint64_t SamplesHash(int64_t first, int64_t count) const override;
  const Order& whole() const override { return *whole_; }

 private:
  std::unique_ptr<const Order> whole_;
  std::vector<Range> skip_;
};

}  // namespace galley::data
