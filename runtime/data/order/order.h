// Which tokens sample n of a split holds: a function of the data plan alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

// Tokens of one source: T + 1 of them, or fewer where documents are packed, and then the rest is padding.
struct SampleParts {
  int64_t source = 0;
  std::vector<Range> ranges;  // of the source's token stream, none empty, in the order they are read
};

// Immutable and thread-safe.
class Order {
 public:
  virtual ~Order() = default;
  // Allocates nothing once `parts` has capacity for T + 1 ranges. An error names a file that is not what the
  // plan was made from, or a sample that the plan does not hold.
  virtual absl::Status Locate(int64_t sample, SampleParts& parts) const = 0;
  // How many of samples [0, consumed) are drawn from each source.
  virtual std::vector<int64_t> DrawnBySource(int64_t consumed) const = 0;
  // XXH3 over what samples [first, first + count) are: what a step saw, whoever read it. Allocates nothing.
  virtual uint64_t SamplesHash(int64_t first, int64_t count) const = 0;
  // The order with nothing left out by data.skip.
  virtual const Order& whole() const { return *this; }
};

// The order of the plan's version. `sources` are the plan's, in its order, and outlive the result. Megatron's
// orders and packing build their indices here, with `threads`.
absl::StatusOr<std::unique_ptr<Order>> MakeOrder(const DataPlan& plan, Split split,
                                                 std::span<const IndexedDataset> sources, int threads);

}  // namespace galley::data
