// The learning rate as a function of consumed samples (Megatron's
// OptimizerParamScheduler; docs/plan.md, "Learning rate").
//
// Convention: an update uses the rate at the samples consumed BEFORE it, so the first update uses LrAt(0),
// which is `init` (0 by default) when there is a warm-up: it moves the Adam moments only. A step's metrics
// name the rate that its update used.
#pragma once

#include <cstdint>

#include "runtime/plan/batch.h"
#include "runtime/recipe/spec.h"

namespace galley::plan {

class LearningRate {
 public:
  LearningRate() = default;
  // Amounts become samples along the ramp; decay_until defaults to `until`.
  LearningRate(const recipe::LearningRate& spec, const recipe::Amount& until, const BatchRamp& ramp);
  double LrAt(int64_t consumed) const;

  bool decays() const { return spec_.decay != recipe::Decay::kConstant; }
  int64_t warmup_samples() const { return warmup_; }
  int64_t decay_samples() const { return decay_; }
  int64_t anneal_samples() const { return anneal_; }  // wsd: length of the final fall; else 0

 private:
  recipe::LearningRate spec_;
  int64_t warmup_ = 0;
  int64_t decay_ = 0;
  int64_t anneal_ = 0;  // wsd: samples of the final decay
};

}  // namespace galley::plan
