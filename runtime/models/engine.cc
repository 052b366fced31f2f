#include "runtime/models/engine.h"

#include <utility>

namespace galley::models {

Engine::Engine(const recipe::Model& model, const plan::ModelCard& card, const EngineOptions& options,
               EngineTensors tensors, Stream stream)
    : options_(options),
      tensors_(std::move(tensors)),
      stream_(std::move(stream)),
      weights_(card, tensors_.weights),
      model_(MakeModel(model, {.params = weights_.table(),
                               .blocks = StageBlocks(model, options.stage, options.stages),
                               .constants = tensors_.constants,
                               .stream = stream_})) {}

View Engine::Residual(const MicroBatchTensors& m, size_t i, int64_t rows) const {
  const View& residual = m.residual[i];
  return residual.data == nullptr ? residual : residual.Rows(0, rows);
}

View Engine::ResidualGradient(const MicroBatchTensors& m, size_t i, int64_t rows) const {
  return m.residual[i].data == nullptr ? View{} : dresidual(i).Rows(0, rows);
}

void Engine::Forward(int m, const Batch& batch) {
  const MicroBatchTensors& t = tensors_.micro_batches[static_cast<size_t>(m)];
  const int64_t rows = batch.rows();
  for (size_t i = 0; i < model_.blocks.size(); ++i) {
    model_.blocks[i]->Forward(stream_, batch, *t.activations[i], Residual(t, i, rows),
                              Residual(t, i + 1, rows));
  }
}

void Engine::Backward(int m, const Batch& batch, FinalFrom final_from) {
  CHECK(options_.mode != EngineMode::kInfer);
  const MicroBatchTensors& t = tensors_.micro_batches[static_cast<size_t>(m)];
  const int64_t rows = batch.rows();
  for (size_t i = model_.blocks.size(); i-- > 0;) {
    const Block& block = *model_.blocks[i];
    const View x = Residual(t, i, rows);
    if (options_.mode == EngineMode::kRecompute) {
      block.Forward(stream_, batch, *t.activations[i], x, Residual(t, i + 1, rows));
    }
    block.Backward(stream_, batch, *t.activations[i], x, ResidualGradient(t, i + 1, rows),
                   ResidualGradient(t, i, rows));
    // After the stage's first block all is final, also the copy of the embedding that a tied head has on a
    // stage without one: it is first in the table, before that block's own parameters.
    final_from(weights_.table().offset(i == 0 ? 0 : block.first_param()));
  }
}

void Engine::Backward(int m, const Batch& batch) {
  Backward(m, batch, [](int64_t) {});
}

void Engine::Logits(int m, int64_t row, View logits) {
  const MicroBatchTensors& t = tensors_.micro_batches[static_cast<size_t>(m)];
  const size_t last = model_.blocks.size() - 1;
  model_.head().Logits(stream_, *t.activations[last], t.residual[last].Rows(row, 1), logits);
}

}  // namespace galley::models
