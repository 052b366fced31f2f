#include "runtime/train/batches.h"

#include <span>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/data/order/document_mask.h"

namespace galley::train {

Batches::Batches(std::unique_ptr<data::Loader> loader, const BatchShape& shape, NextSample next)
    : loader_(std::move(loader)),
      shape_(shape),
      next_(std::move(next)),
      tokens_(shape.positions()),
      labels_(shape.positions()),
      starts_(shape.attention_by_document || shape.positions_by_document ? shape.positions() : 0),
      positions_(shape.positions_by_document ? shape.positions() : 0) {
  AskAhead();
}

absl::StatusOr<TokenBatch> Batches::Next() {
  RETURN_IF_ERROR(loader_->Pop({tokens_, labels_, starts_}));
  AskAhead();
  const auto view = [this](std::vector<int32_t>& values) {
    return View(values.data(), DType::kI32, {shape_.micro, shape_.context});
  };
  TokenBatch batch{.tokens = view(tokens_), .labels = view(labels_)};
  if (shape_.attention_by_document) batch.starts = view(starts_);
  if (shape_.positions_by_document) {
    const auto row = static_cast<size_t>(shape_.context);
    for (size_t at = 0; at < starts_.size(); at += row) {
      data::PositionsOf(std::span(starts_).subspan(at, row), std::span(positions_).subspan(at, row));
    }
    batch.positions = view(positions_);
  }
  return batch;
}

void Batches::AskAhead() {
  while (loader_->FreeSlots() > 0) {
    int64_t first = next_();
    if (first < 0) return;
    loader_->Request(first, shape_.micro);
  }
}

NextSample TrainSamples(const plan::Plan& plan, int64_t data_rank, int64_t first_step) {
  // Micro-batches are dealt to the data ranks in turn, so which samples a step takes does not depend on how
  // many ranks there are, and a run may be resumed with another number of them.
  int64_t micro_batch = 0;
  int64_t step = first_step;
  int64_t consumed = plan.batch.SamplesAfter(first_step);
  return [&plan, data_rank, micro_batch, step, consumed]() mutable -> int64_t {
    if (step >= plan.total_steps) return -1;
    int64_t micro = plan.batch.micro(), ranks = plan.mesh.data;
    int64_t first = consumed + (micro_batch * ranks + data_rank) * micro;
    if (++micro_batch == plan.batch.MicroBatchesAt(consumed, ranks)) {
      micro_batch = 0;
      ++step;
      consumed += plan.batch.GlobalBatchAt(consumed);
    }
    return first;
  };
}

EvaluationSamples::EvaluationSamples(const plan::Plan& plan, int64_t data_rank)
    : micro_(plan.batch.micro()),
      data_ranks_(plan.mesh.data),
      data_rank_(data_rank),
      micro_batches_(plan.evaluation.samples() / (micro_ * data_ranks_)) {}

int64_t EvaluationSamples::Next() {
  if (left_ == 0) return -1;
  int64_t m = micro_batches_ - left_--;
  return (m * data_ranks_ + data_rank_) * micro_;
}

}  // namespace galley::train
