#include "runtime/layers/embedding.h"

#include "runtime/ops/embedding.h"

namespace galley::layers {

void Embedding::Forward(Stream& stream, const Sequences& sequences, View tokens, View y) const {
  ops::EmbeddingForward(stream, tokens.Reshape({tokens.elements()}), table_->weight,
                        positions_ != nullptr ? positions_->weight : View{}, sequences.positions,
                        sequences.length, y);
}

void Embedding::Backward(Stream& stream, const Sequences& sequences, View tokens, View dy) const {
  ops::EmbeddingBackward(stream, tokens.Reshape({tokens.elements()}), dy, sequences.positions,
                         sequences.length, table_->grad, positions_ != nullptr ? positions_->grad : View{});
}

}  // namespace galley::layers
