// Token embedding, with learned positions where there are any.
#pragma once

#include "runtime/layers/activations.h"
#include "runtime/layers/param.h"
#include "runtime/tensor/stream.h"

namespace galley::layers {

class Embedding {
 public:
  // table: (padded vocabulary, hidden). positions: (context, hidden), or null for none.
  Embedding(const Param* table, const Param* positions) : table_(table), positions_(positions) {}

  // tokens: (batch, sequence) i32. y: (batch * sequence, hidden).
  void Forward(Stream& stream, const Sequences& sequences, View tokens, View y) const;
  // Adds to the parameters' gradients.
  void Backward(Stream& stream, const Sequences& sequences, View tokens, View dy) const;

 private:
  const Param* table_;
  const Param* positions_;
};

}  // namespace galley::layers
