#include "runtime/data/order/packed_order.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::data {

absl::StatusOr<std::unique_ptr<PackedOrder>> PackedOrder::Create(const DataPlan& plan, Split split,
                                                                 std::span<const IndexedDataset> sources,
                                                                 int threads) {
  CHECK(plan.packed() && sources.size() == plan.sources.size());
  const auto part = static_cast<size_t>(split);
  std::vector<Packing> packings;
  for (size_t s = 0; s < sources.size(); ++s) {
    const PlannedSource& planned = plan.sources[s];
    ASSIGN_OR_RETURN(Packing packing,
                     Packing::Build(sources[s], planned.stream[part], plan.sequence_length, threads));
    if (packing.bins() != planned.bins[part]) {
      return absl::FailedPreconditionError(absl::StrCat(
          planned.path, ": its documents pack into ", packing.bins(), " samples, and the data plan has ",
          planned.bins[part], "; put the files back that the plan was made from, or start a new run"));
    }
    packings.push_back(std::move(packing));
  }
  return std::unique_ptr<PackedOrder>(new PackedOrder(plan, split, std::move(packings)));
}

absl::Status PackedOrder::Locate(int64_t sample, SampleParts& parts) const {
  const SampleLocation at = bins_.At(sample);
  parts.source = at.source;
  parts.ranges.clear();
  packings_[static_cast<size_t>(at.source)].Append(at.window, parts.ranges);
  return absl::OkStatus();
}

}  // namespace galley::data
