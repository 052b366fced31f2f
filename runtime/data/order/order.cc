#include "runtime/data/order/order.h"

#include <utility>

#include "runtime/base/status.h"
#include "runtime/data/order/dummy_order.h"
#include "runtime/data/order/galley_order.h"
#include "runtime/data/order/megatron_order.h"
#include "runtime/data/order/packed_order.h"
#include "runtime/data/order/skipping_order.h"

namespace galley::data {
namespace {

absl::StatusOr<std::unique_ptr<Order>> Whole(const DataPlan& plan, Split split,
                                             std::span<const IndexedDataset> sources, int threads) {
  if (plan.dummy()) return std::make_unique<DummyOrder>(plan, split);
  if (plan.packed()) return PackedOrder::Create(plan, split, sources, threads);
  if (plan.megatron()) return MegatronOrder::Create(plan, split, sources, threads);
  return std::make_unique<GalleyOrder>(plan, split);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Order>> MakeOrder(const DataPlan& plan, Split split,
                                                 std::span<const IndexedDataset> sources, int threads) {
  ASSIGN_OR_RETURN(std::unique_ptr<Order> order, Whole(plan, split, sources, threads));
  if (split != Split::kTrain || plan.skip.empty()) return order;
  return std::make_unique<SkippingOrder>(std::move(order), plan.skip);
}

}  // namespace galley::data
