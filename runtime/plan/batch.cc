#include "runtime/plan/batch.h"

#include <algorithm>

#include "runtime/base/check.h"

namespace galley::plan {
namespace {

// A recipe may ask for more than 64 bits of tokens; sums stay at this bound and the plan's check refuses it.
constexpr int64_t kMost = int64_t{1} << 60;

int64_t Times(int64_t a, int64_t b) {
  const __int128 product = static_cast<__int128>(a) * b;
  return product > kMost ? kMost : static_cast<int64_t>(product);
}

int64_t Plus(int64_t a, int64_t b) { return std::min(a + b, kMost); }
int64_t CeilDiv(int64_t a, int64_t b) { return a / b + (a % b != 0); }

}  // namespace

BatchRamp::BatchRamp(const recipe::Batch& batch, int64_t context)
    : micro_(batch.micro), global_(batch.global), start_(batch.global), context_(context) {
  stages_ = {{0, 0, global_}};
  if (!batch.rampup || batch.rampup->start == global_) return;
  start_ = batch.rampup->start;
  increment_ = batch.rampup->increment;
  CHECK_EQ((global_ - start_) % increment_, 0);
  const recipe::Amount over = batch.rampup->over;
  if (over.unit != recipe::Unit::kSteps) {
    ramp_samples_ =
        std::max<int64_t>(over.unit == recipe::Unit::kTokens ? CeilDiv(over.value, context_) : over.value, 1);
    MakeStages();
    return;
  }
  // The shortest ramp in samples whose full batch begins at step `over` or later. The first full step never
  // moves forward when the ramp gets longer, so halving finds it.
  int64_t low = 1, high = std::max<int64_t>(Times(over.value, global_), 1);
  while (low < high) {
    ramp_samples_ = low + (high - low) / 2;
    MakeStages();
    if (stages_.back().first_step >= over.value) {
      high = ramp_samples_;
    } else {
      low = ramp_samples_ + 1;
    }
  }
  ramp_samples_ = low;
  MakeStages();
}

int64_t BatchRamp::GlobalBatchAt(int64_t consumed) const {
  if (ramp_samples_ == 0 || consumed > ramp_samples_) return global_;
  // In double, as Megatron computes it: where a stage begins depends on this very rounding.
  const double per_stage =
      static_cast<double>(ramp_samples_) / static_cast<double>((global_ - start_) / increment_);
  const auto stage = static_cast<int64_t>(static_cast<double>(consumed) / per_stage);
  return std::min(start_ + stage * increment_, global_);
}

int64_t BatchRamp::MicroBatchesAt(int64_t consumed, int64_t data_parallel) const {
  const int64_t global = GlobalBatchAt(consumed);
  CHECK_EQ(global % (micro_ * data_parallel), 0);
  return global / (micro_ * data_parallel);
}

// Jumps from stage to stage: an estimate of the steps a stage takes, then corrected by GlobalBatchAt itself.
void BatchRamp::MakeStages() {
  stages_.clear();
  const double per_stage =
      static_cast<double>(ramp_samples_) / static_cast<double>((global_ - start_) / increment_);
  BatchStage at{0, 0, start_};
  at.global_batch = GlobalBatchAt(0);
  while (true) {
    stages_.push_back(at);
    const int64_t size = at.global_batch;
    if (size == global_) return;
    const double boundary = static_cast<double>((size - start_) / increment_ + 1) * per_stage;
    int64_t steps = std::max<int64_t>(
        static_cast<int64_t>((boundary - static_cast<double>(at.first_samples)) / static_cast<double>(size)),
        1);
    while (steps > 1 && GlobalBatchAt(at.first_samples + (steps - 1) * size) != size) --steps;
    while (GlobalBatchAt(at.first_samples + steps * size) == size) ++steps;
    at.first_step += steps;
    at.first_samples += steps * size;
    at.global_batch = GlobalBatchAt(at.first_samples);
  }
}

int64_t BatchRamp::SamplesAfter(int64_t steps) const {
  if (steps <= 0) return 0;
  auto stage = std::upper_bound(stages_.begin(), stages_.end(), steps,
                                [](int64_t s, const BatchStage& x) { return s < x.first_step; });
  --stage;
  return Plus(stage->first_samples, Times(steps - stage->first_step, stage->global_batch));
}

int64_t BatchRamp::TokensAfter(int64_t steps) const { return Times(SamplesAfter(steps), context_); }

namespace {

const BatchStage& StageOfSamples(const std::vector<BatchStage>& stages, int64_t samples) {
  auto stage = std::upper_bound(stages.begin(), stages.end(), samples,
                                [](int64_t s, const BatchStage& x) { return s < x.first_samples; });
  return *--stage;
}

}  // namespace

int64_t BatchRamp::StepAtSamples(int64_t samples) const {
  if (samples <= 0) return 0;
  const BatchStage& stage = StageOfSamples(stages_, samples);
  return stage.first_step + CeilDiv(samples - stage.first_samples, stage.global_batch);
}

int64_t BatchRamp::WholeSteps(int64_t samples) const {
  if (samples <= 0) return 0;
  const BatchStage& stage = StageOfSamples(stages_, samples);
  return stage.first_step + (samples - stage.first_samples) / stage.global_batch;
}

int64_t BatchRamp::Samples(const recipe::Amount& amount) const {
  switch (amount.unit) {
    case recipe::Unit::kSteps:
      return SamplesAfter(amount.value);
    case recipe::Unit::kTokens:
      return CeilDiv(amount.value, context_);
    case recipe::Unit::kSamples:
      break;
  }
  return amount.value;
}

int64_t BatchRamp::Steps(const recipe::Amount& amount) const {
  return amount.unit == recipe::Unit::kSteps ? amount.value : StepAtSamples(Samples(amount));
}

int64_t BatchRamp::TotalSteps(const recipe::Amount& until) const {
  return until.unit == recipe::Unit::kSteps ? until.value : WholeSteps(Samples(until));
}

std::vector<int64_t> LegalDataParallel(int64_t global_batch, int64_t micro) {
  std::vector<int64_t> small, large;
  if (global_batch % micro != 0) return small;
  const int64_t micro_batches = global_batch / micro;
  for (int64_t d = 1; d * d <= micro_batches; ++d) {
    if (micro_batches % d != 0) continue;
    small.push_back(d);
    if (d * d != micro_batches) large.push_back(micro_batches / d);
  }
  small.insert(small.end(), large.rbegin(), large.rend());
  return small;
}

}  // namespace galley::plan
