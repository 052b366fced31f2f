// Drives the blocks of a pipeline stage over micro-batches: one forward or backward pass at a call. Training,
// evaluation and generation use the same. It owns weights and stream; memory is the caller's.
//
// A stage of one model is the whole model.
// Between two stages the caller moves the residual stream:
//
//   first.Forward(m, batch);                       // leaves output(m)
//   copy first.output(m) to second.input(m);       // or Send and Recv
//   second.Forward(m, batch);                      // with the head: the loss
//   second.Backward(m, batch);                     // leaves input_gradient()
//   copy second.input_gradient() to first.output_gradient();
//   first.Backward(m, batch);
//
// m names a micro-batch in flight, 0 <= m < EngineOptions::micro_batches. Passes of different m may come in
// any order, a Backward after its own Forward; gradients add up in the order of the Backward calls. The two
// gradient views are shared by all m and hold until the next Backward.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "runtime/models/memory.h"
#include "runtime/models/model.h"
#include "runtime/models/weights.h"
#include "runtime/tensor/stream.h"

namespace galley::models {

class Engine {
 public:
  // tensors: AllocateEngine's of the same arguments, on arenas that bind and outlive the engine.
  Engine(const recipe::Model& model, const plan::ModelCard& card, const EngineOptions& options,
         EngineTensors tensors, Stream stream);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Stream& stream() { return stream_; }
  const Stream& stream() const { return stream_; }
  Weights& weights() { return weights_; }
  const Weights& weights() const { return weights_; }

  void Forward(int m, const Batch& batch);

  // `final_from(offset)` is called after each block: gradients of this stage's table at and above `offset`
  // (in elements) have got all that this pass adds. In recompute mode each block runs forward again first.
  using FinalFrom = absl::FunctionRef<void(int64_t offset)>;
  void Backward(int m, const Batch& batch, FinalFrom final_from);
  void Backward(int m, const Batch& batch);

  // logits: (1, vocab) f32 of the token after row `row` of micro-batch m, whose Forward ran last.
  void Logits(int m, int64_t row, View logits);

  // (rows, hidden) of the compute type; View{} before an embedding and after a head.
  View input(int m) const { return tensors_.micro_batches[static_cast<size_t>(m)].residual.front(); }
  View output(int m) const { return tensors_.micro_batches[static_cast<size_t>(m)].residual.back(); }
  View output_gradient() const { return has_head() ? View{} : dresidual(model_.blocks.size()); }
  View input_gradient() const { return has_embedding() ? View{} : dresidual(0); }

 private:
  bool has_embedding() const { return options_.stage == 0; }
  bool has_head() const { return options_.stage + 1 == options_.stages; }
  View dresidual(size_t i) const { return tensors_.dresidual[i % 2]; }
  // The first rows of residual i of m, and of its gradient; View{} at the ends of the model.
  View Residual(const MicroBatchTensors& m, size_t i, int64_t rows) const;
  View ResidualGradient(const MicroBatchTensors& m, size_t i, int64_t rows) const;

  const EngineOptions options_;
  EngineTensors tensors_;
  Stream stream_;
  Weights weights_;
  Model model_;
};

}  // namespace galley::models
