// When a run saves and when it evaluates. Steps here are counted after the update: step 1 is the first
// update, step `total` the last.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/plan/batch.h"
#include "runtime/recipe/spec.h"

namespace galley::plan {

// True when the samples consumed reach a multiple of `interval` in the step that ends as `step`. An interval
// of 0 is never reached.
bool ReachesMultiple(const BatchRamp& ramp, const recipe::Amount& interval, int64_t step);
// The first such step after `step`. REQUIRES: interval above 0.
int64_t NextMultiple(const BatchRamp& ramp, const recipe::Amount& interval, int64_t step);

// The most checkpoints, and the most evaluations, that a recipe may ask for; the plan's check refuses more.
inline constexpr int64_t kMostSaves = 1'000'000;

class CheckpointSchedule {
 public:
  CheckpointSchedule() = default;
  CheckpointSchedule(const recipe::Checkpoint& spec, const BatchRamp& ramp, int64_t total_steps);

  // A phase saves at absolute multiples of its interval and at its last step; the last step is always saved.
  bool IsSaveStep(int64_t step) const;
  // A save that retention keeps for good (keep.every). Others are kept while among the last `keep_last()`.
  bool IsKeptForGood(int64_t step) const;
  int64_t keep_last() const { return keep_last_; }  // 0: all

  // All of them, rising; at most kMostSaves + 1.
  std::vector<int64_t> SaveSteps() const;
  // The most checkpoints that lie on disk at one time, the one being written counted.
  int64_t MostOnDisk() const;

  struct Phase {
    int64_t first_step = 1;  // both ends count
    int64_t last_step = 0;
    recipe::Amount interval;
  };
  const std::vector<Phase>& phases() const { return phases_; }

 private:
  BatchRamp ramp_;
  recipe::Keep keep_;
  int64_t keep_last_ = 0;
  int64_t total_steps_ = 0;
  std::vector<Phase> phases_;
};

class EvaluationSchedule {
 public:
  EvaluationSchedule() = default;
  EvaluationSchedule(const recipe::Evaluation& spec, const BatchRamp& ramp, int64_t total_steps);
  // At multiples of `every` and at the last step; never when evaluation is off.
  bool IsEvaluationStep(int64_t step) const;
  int64_t samples() const { return spec_.samples; }  // a whole evaluation, all ranks together
  int64_t Count() const;                             // evaluations in the run; at most kMostSaves + 1

 private:
  recipe::Evaluation spec_;
  BatchRamp ramp_;
  int64_t total_steps_ = 0;
};

}  // namespace galley::plan
