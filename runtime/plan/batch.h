// The batch along the run: which steps there are, how many samples each takes, and steps <-> samples <->
// tokens. Formula of the ramp: Megatron's --rampup-batch-size (docs/plan.md, "Batch ramp").
//
// A step index counts from 0 and names the update to come; "after n steps" means n updates are done. Samples
// consumed before step i are SamplesAfter(i).
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/recipe/spec.h"

namespace galley::plan {

struct BatchStage {
  int64_t first_step = 0;     // index, from 0
  int64_t first_samples = 0;  // consumed before it
  int64_t global_batch = 0;   // samples a step
};

class BatchRamp {
 public:
  BatchRamp() = default;
  // context: tokens of a sample. REQUIRES: a valid batch section (increment divides global - start).
  BatchRamp(const recipe::Batch& batch, int64_t context);

  // Samples of the step that begins with `consumed` samples done.
  int64_t GlobalBatchAt(int64_t consumed) const;
  // Micro-batches a rank takes in that step. REQUIRES: micro * data_parallel divides the global batch.
  int64_t MicroBatchesAt(int64_t consumed, int64_t data_parallel) const;

  int64_t SamplesAfter(int64_t steps) const;
  int64_t TokensAfter(int64_t steps) const;
  // The first step index at which at least `samples` are consumed.
  int64_t StepAtSamples(int64_t samples) const;
  // Whole steps that fit in `samples`: a last part of a batch is dropped.
  int64_t WholeSteps(int64_t samples) const;

  // An amount as samples (tokens round up to whole samples), and as steps (StepAtSamples).
  int64_t Samples(const recipe::Amount& amount) const;
  int64_t Steps(const recipe::Amount& amount) const;
  // Steps of a run until `until`: those asked for, or the whole steps that fit.
  int64_t TotalSteps(const recipe::Amount& until) const;

  const std::vector<BatchStage>& stages() const { return stages_; }  // one a batch size, in order
  int64_t micro() const { return micro_; }
  int64_t context() const { return context_; }

 private:
  void MakeStages();

  int64_t micro_ = 1;
  int64_t global_ = 1;
  int64_t start_ = 1;
  int64_t increment_ = 0;
  int64_t ramp_samples_ = 0;
  int64_t context_ = 1;
  std::vector<BatchStage> stages_;
};

// Data-parallel sizes at which every step of `global_batch` samples splits evenly: the divisors of
// global_batch / micro, rising. Empty when micro does not divide it.
std::vector<int64_t> LegalDataParallel(int64_t global_batch, int64_t micro);

}  // namespace galley::plan
