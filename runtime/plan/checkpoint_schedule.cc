#include "runtime/plan/checkpoint_schedule.h"

#include <algorithm>

namespace galley::plan {

bool ReachesMultiple(const BatchRamp& ramp, const recipe::Amount& interval, int64_t step) {
  if (interval.value <= 0 || step <= 0) return false;
  if (interval.unit == recipe::Unit::kSteps) return step % interval.value == 0;
  const bool tokens = interval.unit == recipe::Unit::kTokens;
  const int64_t before = tokens ? ramp.TokensAfter(step - 1) : ramp.SamplesAfter(step - 1);
  const int64_t after = tokens ? ramp.TokensAfter(step) : ramp.SamplesAfter(step);
  return after / interval.value > before / interval.value;
}

int64_t NextMultiple(const BatchRamp& ramp, const recipe::Amount& interval, int64_t step) {
  const int64_t every = interval.value;
  switch (interval.unit) {
    case recipe::Unit::kSteps:
      return (step / every + 1) * every;
    case recipe::Unit::kSamples:
      return ramp.StepAtSamples((ramp.SamplesAfter(step) / every + 1) * every);
    case recipe::Unit::kTokens:
      break;
  }
  const recipe::Amount next{(ramp.TokensAfter(step) / every + 1) * every, recipe::Unit::kTokens};
  return ramp.StepAtSamples(ramp.Samples(next));
}

CheckpointSchedule::CheckpointSchedule(const recipe::Checkpoint& spec, const BatchRamp& ramp,
                                       int64_t total_steps)
    : ramp_(ramp), keep_(spec.keep), keep_last_(spec.keep.last.value_or(0)), total_steps_(total_steps) {
  int64_t first = 1;
  for (const recipe::CheckpointPhase& phase : spec.every) {
    const int64_t last = phase.until ? std::min(ramp.Steps(*phase.until), total_steps) : total_steps;
    if (first > last) break;
    phases_.push_back({first, last, phase.interval});
    first = last + 1;
  }
}

bool CheckpointSchedule::IsSaveStep(int64_t step) const {
  if (step <= 0 || step > total_steps_) return false;
  if (step == total_steps_) return true;
  for (const Phase& phase : phases_) {
    if (step <= phase.last_step) {
      return step == phase.last_step || ReachesMultiple(ramp_, phase.interval, step);
    }
  }
  return false;
}

bool CheckpointSchedule::IsKeptForGood(int64_t step) const {
  return keep_.every && ReachesMultiple(ramp_, *keep_.every, step);
}

std::vector<int64_t> CheckpointSchedule::SaveSteps() const {
  std::vector<int64_t> steps;
  for (const Phase& phase : phases_) {
    int64_t step = NextMultiple(ramp_, phase.interval, phase.first_step - 1);
    for (; step < phase.last_step; step = NextMultiple(ramp_, phase.interval, step)) {
      if (static_cast<int64_t>(steps.size()) >= kMostSaves) break;  // Check refuses the recipe
      steps.push_back(step);
    }
    steps.push_back(phase.last_step);
    if (static_cast<int64_t>(steps.size()) > kMostSaves) return steps;
  }
  if (total_steps_ > 0 && (steps.empty() || steps.back() != total_steps_)) steps.push_back(total_steps_);
  return steps;
}

int64_t CheckpointSchedule::MostOnDisk() const {
  const std::vector<int64_t> steps = SaveSteps();
  const auto saves = static_cast<int64_t>(steps.size());
  if (keep_last_ == 0) return saves;
  // A save is written before an older one is deleted.
  const int64_t recent = std::min(saves, keep_last_ + 1);
  int64_t for_good = 0;
  for (int64_t i = 0; i < saves - recent; ++i) for_good += IsKeptForGood(steps[static_cast<size_t>(i)]);
  return recent + for_good;
}

EvaluationSchedule::EvaluationSchedule(const recipe::Evaluation& spec, const BatchRamp& ramp,
                                       int64_t total_steps)
    : spec_(spec), ramp_(ramp), total_steps_(total_steps) {}

bool EvaluationSchedule::IsEvaluationStep(int64_t step) const {
  if (spec_.every.value <= 0 || step <= 0 || step > total_steps_) return false;
  return step == total_steps_ || ReachesMultiple(ramp_, spec_.every, step);
}

int64_t EvaluationSchedule::Count() const {
  if (spec_.every.value <= 0 || total_steps_ <= 0) return 0;
  int64_t count = 1;  // the last step's
  int64_t step = NextMultiple(ramp_, spec_.every, 0);
  for (; step < total_steps_ && count <= kMostSaves; step = NextMultiple(ramp_, spec_.every, step)) ++count;
  return count;
}

}  // namespace galley::plan
