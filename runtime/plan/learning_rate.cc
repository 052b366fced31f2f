#include "runtime/plan/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace galley::plan {
namespace {

// The share of (peak - min) left after part q, in [0, 1], of WSD's final decay.
double WsdShare(recipe::WsdShape shape, double q) {
  switch (shape) {
    case recipe::WsdShape::kLinear:
      return 1 - q;
    case recipe::WsdShape::kCosine:
      return 0.5 * (std::cos(std::numbers::pi * q) + 1);
    case recipe::WsdShape::kExponential:
      return 2 * std::pow(0.5, q) - 1;
    case recipe::WsdShape::kMinusSqrt:
      break;
  }
  return 1 - std::sqrt(q);
}

}  // namespace

LearningRate::LearningRate(const recipe::LearningRate& spec, const recipe::Amount& until,
                           const BatchRamp& ramp)
    : spec_(spec),
      warmup_(ramp.Samples(spec.warmup)),
      decay_(ramp.Samples(spec.decay_until.value_or(until))) {
  if (!spec.wsd_decay) return;
  if (spec.wsd_decay->unit == recipe::Unit::kSteps) {
    // The last steps before the end, not as many steps from the start: on a ramp those are fewer samples.
    anneal_ = decay_ - ramp.SamplesAfter(ramp.StepAtSamples(decay_) - spec.wsd_decay->value);
  } else {
    anneal_ = ramp.Samples(*spec.wsd_decay);
  }
}

double LearningRate::LrAt(int64_t consumed) const {
  const double peak = spec_.peak, min = spec_.min;
  const auto n = static_cast<double>(consumed);
  const auto warmup = static_cast<double>(warmup_);
  if (warmup_ > 0 && consumed <= warmup_) return spec_.init + (peak - spec_.init) * n / warmup;
  if (spec_.decay == recipe::Decay::kConstant) return peak;
  if (consumed > decay_) return min;
  if (spec_.decay == recipe::Decay::kInverseSquareRoot) {
    // At least 1, as Megatron has it: without a warm-up the rate at sample 0 would be without bound.
    return std::max(min, peak * std::sqrt(std::max(warmup, 1.0)) / std::sqrt(std::max(n, 1.0)));
  }
  const double part = (n - warmup) / static_cast<double>(decay_ - warmup_);
  double share = 1;
  switch (spec_.decay) {
    case recipe::Decay::kLinear:
      share = 1 - part;
      break;
    case recipe::Decay::kCosine:
      share = 0.5 * (std::cos(std::numbers::pi * part) + 1);
      break;
    case recipe::Decay::kWsd: {
      const int64_t start = decay_ - anneal_;
      if (consumed > start) {
        share =
            WsdShare(spec_.wsd_shape, static_cast<double>(consumed - start) / static_cast<double>(anneal_));
      }
      break;
    }
    case recipe::Decay::kConstant:
    case recipe::Decay::kInverseSquareRoot:
      break;
  }
  return min + share * (peak - min);
}

}  // namespace galley::plan
