#include "runtime/train/batches.h"

#include <utility>

#include "runtime/base/status.h"

namespace galley::train {

Batches::Batches(std::unique_ptr<data::Loader> loader, int64_t micro, int64_t context, NextSample next)
    : loader_(std::move(loader)),
      micro_(micro),
      context_(context),
      next_(std::move(next)),
      tokens_(static_cast<size_t>(micro * context)),
      labels_(static_cast<size_t>(micro * context)) {
  AskAhead();
}

absl::StatusOr<TokenBatch> Batches::Next() {
  RETURN_IF_ERROR(loader_->Pop(tokens_, labels_));
  AskAhead();
  return TokenBatch{.tokens = View(tokens_.data(), DType::kI32, {micro_, context_}),
                    .labels = View(labels_.data(), DType::kI32, {micro_, context_})};
}

void Batches::AskAhead() {
  while (loader_->Room() > 0) {
    int64_t first = next_();
    if (first < 0) return;
    loader_->Request(first, micro_);
  }
}

NextSample TrainSamples(const plan::Plan& plan, int64_t rank, int64_t first_step) {
  int64_t micro_batch = 0;
  int64_t step = first_step;
  int64_t consumed = plan.batch.SamplesAfter(first_step);
  return [&plan, rank, micro_batch, step, consumed]() mutable -> int64_t {
    if (step >= plan.total_steps) return -1;
    int64_t micro = plan.batch.micro(), ranks = plan.mesh.data;
    int64_t first = consumed + (micro_batch * ranks + rank) * micro;
    if (++micro_batch == plan.batch.MicroBatchesAt(consumed, ranks)) {
      micro_batch = 0;
      ++step;
      consumed += plan.batch.GlobalBatchAt(consumed);
    }
    return first;
  };
}

EvaluationSamples::EvaluationSamples(const plan::Plan& plan, int64_t rank)
    : micro_(plan.batch.micro()),
      ranks_(plan.mesh.data),
      rank_(rank),
      micro_batches_(plan.evaluation.samples() / (micro_ * ranks_)) {}

int64_t EvaluationSamples::Next() {
  if (left_ == 0) return -1;
  int64_t m = micro_batches_ - left_--;
  return (m * ranks_ + rank_) * micro_;
}

}  // namespace galley::train
