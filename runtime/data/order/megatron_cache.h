// A cache of indices that Megatron-Core left (`--data-cache-path`), compared with the indices that Galley
// makes. Galley does not need one: it is a proof that the order is Megatron's.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/order/megatron_order.h"

namespace galley::data {

struct CacheCheck {
  std::vector<std::string> agreeing;  // files
  std::vector<std::string> missing;   // what the cache has no index of: sources' paths, "the blend"
};

// Looks in `folder` for the indices of `split`, by their descriptions: class, split, seed, T, number of
// samples and the last part of the data set's path (folders may have moved, and descriptions hold whole
// paths). Every value of the files found is compared. kNotFound without the folder; kDataLoss for a damaged
// file and kFailedPrecondition for one with another value, each with file, offset and remedy.
absl::StatusOr<CacheCheck> CheckMegatronCache(const std::string& folder, const DataPlan& plan, Split split,
                                              const MegatronOrder& order);

}  // namespace galley::data
