// The micro-batches of one rank, requested from the loader ahead of the step loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/order/loader.h"
#include "runtime/plan/plan.h"
#include "runtime/train/step.h"

namespace galley::train {

// Where the next micro-batch begins in the order of samples; below 0: there is none.
using NextSample = std::function<int64_t()>;

struct BatchShape {
  int64_t micro = 1;    // samples of a micro-batch
  int64_t context = 1;  // tokens of a sample
  // Attention that does not cross documents, positions that begin anew with each.
  bool attention_by_document = false;
  bool positions_by_document = false;
  size_t positions() const { return static_cast<size_t>(micro * context); }
};

class Batches {
 public:
  // Requests ahead as far as the loader has capacity. The loader gives starts when the shape needs them.
  Batches(std::unique_ptr<data::Loader> loader, const BatchShape& shape, NextSample next);

  // The next micro-batch; valid until the next call.
  absl::StatusOr<TokenBatch> Next();
  // Asks for what `next` newly has to give.
  void AskAhead();
  uint64_t SamplesHash(int64_t first, int64_t count) const { return loader_->SamplesHash(first, count); }
  const data::Order& order() const { return loader_->order(); }
  double WaitedSeconds() const { return absl::ToDoubleSeconds(loader_->waited()); }  // since the start

 private:
  std::unique_ptr<data::Loader> loader_;
  const BatchShape shape_;
  NextSample next_;
  std::vector<int32_t> tokens_, labels_, starts_, positions_;
};

// This rank's micro-batches from step index `first_step` to the end of the plan, along the batch ramp:
// micro-batch m of a step takes samples [consumed + (m * mesh.data + data_rank) * micro, + micro), where
// data_rank is the rank's coordinate along the mesh's data axis. `plan` must outlive the result.
NextSample TrainSamples(const plan::Plan& plan, int64_t data_rank, int64_t first_step);

// Evaluations one after the other, each over the same prefix of the split, dealt to data ranks like training.
class EvaluationSamples {
 public:
  EvaluationSamples(const plan::Plan& plan, int64_t data_rank);
  int64_t micro_batches() const { return micro_batches_; }  // of each rank
  void Begin() { left_ = micro_batches_; }                  // allows one evaluation
  int64_t Next();

 private:
  int64_t micro_, data_ranks_, data_rank_, micro_batches_, left_ = 0;
};

// What one evaluation reads.
struct ValidationSet {
  std::string name;  // empty: the validation part of the split
  std::unique_ptr<EvaluationSamples> samples;
  std::unique_ptr<Batches> batches;  // asks `samples`
};

}  // namespace galley::train
