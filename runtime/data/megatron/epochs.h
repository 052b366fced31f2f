// How Megatron-Core decides how often a source is read. Rules: docs/formats/data-order.md.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"

namespace galley::data {

// How often a source's split is read to give the samples asked for.
struct MegatronEpochs {
  int64_t epochs = 0;          // 0: the split is not read
  bool separate_last = false;  // the last is shuffled by itself: less than 80 % of it is needed
  int64_t samples = 0;         // of all epochs
  int64_t before_last = 0;     // those that a separate last epoch stands behind; else all
  bool operator==(const MegatronEpochs&) const = default;
};

// `tokens` of one epoch, samples of `length` inputs (T). kFailedPrecondition for an epoch without a token,
// where Megatron would never return; kResourceExhausted for more than Megatron's own types would hold. Both
// begin with what is wrong; the caller names the source.
absl::StatusOr<MegatronEpochs> PlanEpochs(int64_t tokens, std::optional<int64_t> samples, int64_t length);

// What follows from the number of epochs and whether the last stands by itself. Errors as above.
absl::StatusOr<MegatronEpochs> EpochsOf(int64_t tokens, int64_t epochs, bool separate_last, int64_t length);

}  // namespace galley::data
