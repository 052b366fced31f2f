// One optimizer step: micro-batches forward and backward, gradients summed over ranks while the backward pass
// of the last micro-batch goes on, global-norm clipping, AdamW. Owns weights, gradients, optimizer state and
// activations; all memory is taken in Create and none in Run after the first steps.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/parallel/groups.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"
#include "runtime/tensor/stream.h"
#include "runtime/tensor/view.h"

namespace galley::train {

// (micro, context) i32 each, in host memory; must stay valid until the next call.
struct TokenBatch {
  View tokens;
  View labels;          // -1: no token to predict; the position does not count
  View starts = {};     // models::Batch::starts; View{}: attention sees the whole sample
  View positions = {};  // models::Batch::positions; View{}: the index in the sample
};
// Gives this rank's micro-batch m = 0, 1, ... of the step.
using NextBatch = absl::FunctionRef<absl::StatusOr<TokenBatch>(int64_t m)>;

struct StepInput {
  int64_t micro_batches = 0;  // of each rank
  double lr = 0;
  NextBatch next;
  // Replaced by their maximum over all ranks, so that ranks agree on what comes after the step.
  std::span<int64_t> flags = {};
};

struct StepResult {
  double loss = 0;       // mean over the labelled positions of all ranks, nats
  double grad_norm = 0;  // of the summed gradient, before clipping
  // False when loss or norm is NaN or infinite: nothing was updated and optimizer_step() did not move.
  bool updated = false;
};

class Stepper {
 public:
  // Gradients go to the other ranks in pieces of this size: large enough that a message is not latency, small
  // enough that several go while the backward pass runs.
  static constexpr int64_t kBucketBytes = int64_t{16} << 20;

  // Weights are initialised from spec.train.seed; moments are zero. `groups` must outlive the stepper; the
  // calls of each all come from one thread at a time. kResourceExhausted when the memory can not be had.
  static absl::StatusOr<std::unique_ptr<Stepper>> Create(const recipe::RecipeSpec& spec,
                                                         const plan::ModelCard& card,
                                                         const parallel::Groups& groups, int threads,
                                                         int64_t bucket_bytes = kBucketBytes,
                                                         const Device& device = {});
  virtual ~Stepper() = default;

  // kFailedPrecondition when no position of the step has a label.
  // After an error gradients and, where an update had begun, weights hold a part of a step: the stepper must
  // not be run again, and its state not be saved.
  virtual absl::StatusOr<StepResult> Run(const StepInput& input) = 0;
  // Mean loss over the labelled positions of all ranks. Moves no training state.
  virtual absl::StatusOr<double> Evaluate(int64_t micro_batches, NextBatch next) = 0;

  // Everything a checkpoint holds, whole tensors in table order: "model.<name>" (f32 master weights),
  // "optim.m.<name>", "optim.v.<name>". Views stay valid and are updated in place by Run.
  virtual std::vector<checkpoint::Item> StateItems() const = 0;
  // Whose work updates them, in whose order they are to be copied.
  virtual Stream& stream() = 0;
  // After the views of StateItems were overwritten: refreshes what is derived from them.
  virtual void Restored(int64_t optimizer_step) = 0;
  // Taken now, scratch of ops included: what prepare::MeasureTraining says, unless a vendor's kernel
  // asked for more (ops/scratch.h).
  virtual int64_t memory_bytes() const = 0;
  virtual int64_t optimizer_step() const = 0;  // updates done, for AdamW's bias correction
};

}  // namespace galley::train
