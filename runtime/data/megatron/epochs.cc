#include "runtime/data/megatron/epochs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr int64_t kMaxSamples = (int64_t{1} << 32) - 3;  // the most that Megatron's shuffle index has in u32
constexpr int64_t kMaxTokens = int64_t{1} << 60;         // of all epochs: sums below stay inside 64 bits
constexpr double kSeparateBelow = 0.80;                  // of an epoch's samples

}  // namespace

absl::StatusOr<MegatronEpochs> EpochsOf(int64_t tokens, int64_t epochs, bool separate_last, int64_t length) {
  CHECK(length > 0 && tokens >= 0 && epochs > 0) << tokens << " " << epochs << " " << length;
  if (tokens == 0) return absl::FailedPreconditionError("no token to read");
  if (epochs > kMaxTokens / tokens) {
    return absl::ResourceExhaustedError(absl::StrCat(epochs, " epochs of ", tokens, " tokens"));
  }
  MegatronEpochs plan{.epochs = epochs, .separate_last = separate_last};
  plan.samples = (epochs * tokens - 1) / length;
  plan.before_last = separate_last ? ((epochs - 1) * tokens - 1) / length : plan.samples;
  if (plan.samples > kMaxSamples) {
    return absl::ResourceExhaustedError(
        absl::StrCat(plan.samples, " samples of one source, at most ", kMaxSamples, " are taken"));
  }
  return plan;
}

absl::StatusOr<MegatronEpochs> PlanEpochs(int64_t tokens, std::optional<int64_t> samples, int64_t length) {
  CHECK(length > 0 && samples.value_or(0) >= 0) << samples.value_or(0) << " " << length;
  if (!samples.has_value() || tokens == 0) return EpochsOf(tokens, 1, false, length);
  if (*samples > (kMaxTokens - 1) / length) {
    return absl::ResourceExhaustedError(absl::StrCat(*samples, " samples of ", length, " tokens"));
  }
  const int64_t epochs = (*samples * length + 1 + tokens - 1) / tokens;
  if (epochs == 1) return EpochsOf(tokens, 1, false, length);
  const int64_t before = ((epochs - 1) * tokens - 1) / length;
  const int64_t an_epoch = (tokens - 1) / length;
  // Truncated as a float, as Megatron has it.
  const auto enough = static_cast<int64_t>(kSeparateBelow * static_cast<double>(an_epoch));
  return EpochsOf(tokens, epochs, *samples - before < enough, length);
}

}  // namespace galley::data
