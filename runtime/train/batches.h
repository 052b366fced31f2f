// The micro-batches of one rank, in order, over the whole run: asks the loader ahead along the batch ramp, so
// that data for the next steps is read while this one computes.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/data/loader.h"
#include "runtime/plan/plan.h"
#include "runtime/train/step.h"

namespace galley::train {

class TrainBatches {
 public:
  // Starts at the micro-batches of step index `first_step`. `plan` must outlive this.
  TrainBatches(std::unique_ptr<data::Loader> loader, const plan::Plan& plan, int64_t rank,
               int64_t first_step);

  // The next micro-batch; valid until the next call.
  absl::StatusOr<TokenBatch> Next();
  uint64_t SamplesHash(int64_t first, int64_t count) const { return loader_->SamplesHash(first, count); }
  double WaitedSeconds() const { return loader_->waited_seconds(); }  // since the start

 private:
  void AskAhead();

  std::unique_ptr<data::Loader> loader_;
  const plan::Plan& plan_;
  const int64_t rank_;
  int64_t ask_step_;       // index of the step whose micro-batch is asked for next
  int64_t ask_micro_ = 0;  // in that step
};

}  // namespace galley::train
