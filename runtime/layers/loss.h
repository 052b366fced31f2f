// The end of a language model: final norm, projection to the vocabulary, cross-entropy.
#pragma once

#include "runtime/layers/activations.h"
#include "runtime/layers/norm.h"
#include "runtime/layers/param.h"
#include "runtime/tensor/stream.h"

namespace galley::layers {

class Loss {
 public:
  // projection: (padded vocabulary, hidden), the head or the tied embedding. Rows
  // from `vocab` on take no part.
  Loss(Norm norm, const Param* projection, int64_t vocab)
      : norm_(norm), projection_(projection), vocab_(vocab) {}

  // loss: (2) f64; loss[0] += the sum over rows in nats, loss[1] += the rows that count.
  // x: (rows, hidden). labels: (rows) i32, -1 for a row that does not count.
  void Forward(Stream& stream, const LossActivations& a, View x, View labels, View loss) const;
  // The same, and the gradients of grad_scale * (sum of losses): dx is written, parameters' gradients are
  // added to. In one pass, since logits are never whole in memory.
  void ForwardBackward(Stream& stream, const LossActivations& a, View x, View labels, float grad_scale,
                       View loss, View dx) const;
  // logits: (rows, vocab) f32; always an f32 product, with the master weights.
  void Logits(Stream& stream, const LossActivations& a, View x, View logits) const;

 private:
  Norm norm_;
  const Param* projection_;
  int64_t vocab_;
};

}  // namespace galley::layers
