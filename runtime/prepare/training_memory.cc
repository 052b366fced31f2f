#include "runtime/prepare/training_memory.h"

#include <algorithm>

#include "runtime/ops/scratch.h"
#include "runtime/plan/sharding.h"

namespace galley::prepare {
namespace {

constexpr int64_t kMost = int64_t{1} << 62;

// The stage's parameters as its fullest tensor rank holds them.
plan::ModelCard HeldCard(const recipe::RecipeSpec& spec, const plan::ModelCard& card, int64_t stage) {
  const int64_t tensor = spec.parallelism.tensor;
  plan::ModelCard held = models::StageCard(spec.model, card, stage, spec.parallelism.pipeline);
  for (plan::ParamSpec& param : held.params) {
    int64_t elements = 0;
    // Where a part is not a multiple of the ranks, the last has most of it.
    for (const plan::Slice& slice : plan::HeldSlices(param, tensor - 1, tensor)) elements += slice.elements();
    param.shape = {elements};
  }
  return held;
}

// Sizes that no machine holds and that 64 bits of a byte count may not either.
bool Absurd(const recipe::RecipeSpec& spec, const plan::ModelCard& card) {
  const recipe::Model& m = spec.model;
  const double width = 16.0 * static_cast<double>(m.hidden + m.ffn + m.heads);
  const double rows = static_cast<double>(spec.batch.micro) * static_cast<double>(m.context);
  const double params = 32 * static_cast<double>(m.layers) * static_cast<double>(m.hidden) *
                            static_cast<double>(m.hidden + m.ffn) +
                        32 * static_cast<double>(card.padded_vocab) * static_cast<double>(m.hidden);
  return rows * width * static_cast<double>(m.layers + 2) + params > static_cast<double>(kMost) / 4;
}

plan::Memory MeasureStage(const recipe::RecipeSpec& spec, const plan::ModelCard& card, int64_t stage,
                          int64_t threads) {
  const int64_t stages = spec.parallelism.pipeline, tensor = spec.parallelism.tensor;
  models::EngineOptions options = TrainingOptions(spec, static_cast<int>(std::max<int64_t>(threads, 1)));
  options.stage = stage;
  options.stages = stages;
  // A stage has a micro-batch in flight for itself and for every stage after it.
  options.micro_batches = static_cast<int>(stages - stage);
  layers::Memory memory;
  const TrainingTensors t = AllocateTraining(spec, HeldCard(spec, card, stage), options, memory);

  const models::WeightTensors& w = t.engine.weights;
  plan::Memory bytes;
  bytes.weights = w.compute.dtype == DType::kF32 ? 0 : w.compute.bytes();
  bytes.master = w.master.bytes();
  bytes.gradients = w.gradients.bytes();
  bytes.optimizer = t.moments.m.bytes() + t.moments.v.bytes();
  const int64_t state = bytes.total();
  bytes.activations = (memory.kept.peak() + memory.workspace.peak() - state) / tensor + memory.scratch;
  return bytes;
}

}  // namespace

models::EngineOptions TrainingOptions(const recipe::RecipeSpec& spec, int threads) {
  return {.mode = spec.recompute.mode == recipe::RecomputeMode::kFull ? models::EngineMode::kRecompute
                                                                      : models::EngineMode::kTrain,
          .rows = spec.batch.micro * spec.model.context,
          .threads = threads};
}

TrainingTensors AllocateTraining(const recipe::RecipeSpec& spec, const plan::ModelCard& card,
                                 const models::EngineOptions& options, layers::Memory& memory) {
  TrainingTensors t;
  t.engine = models::AllocateEngine(spec, card, options, memory);
  t.moments = optim::AllocateMoments(card.parameters(), memory.kept);
  t.sums = memory.kept.Take(DType::kF64, {3});
  const Shape ids{spec.batch.micro, spec.model.context};
  for (View* v : {&t.tokens, &t.labels, &t.starts, &t.positions}) *v = memory.kept.Take(DType::kI32, ids);
  memory.Scratch(ops::SumOfSquaresScratch(card.parameters()));
  return t;
}

plan::Memory MeasureTraining(const recipe::RecipeSpec& spec, const plan::ModelCard& card, int64_t threads) {
  if (Absurd(spec, card)) return {.activations = kMost};
  plan::Memory fullest;
  // Stages between the first and the last have less in flight than the first and no end of the model.
  for (int64_t stage : {int64_t{0}, spec.parallelism.pipeline - 1}) {
    const plan::Memory bytes = MeasureStage(spec, card, stage, threads);
    if (bytes.total() > fullest.total()) fullest = bytes;
  }
  return fullest;
}

}  // namespace galley::prepare
