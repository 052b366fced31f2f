#include "runtime/layers/embedding.h"

#include "runtime/ops/embedding.h"

namespace galley::layers {

void Embedding::Forward(Stream& stream, View tokens, View y) const {
  ops::EmbeddingForward(stream, tokens.Reshape({tokens.elements()}), table_->weight,
                        positions_ != nullptr ? positions_->weight : View{}, tokens.shape[1], y);
}

void Embedding::Backward(Stream& stream, View tokens, View dy) const {
  ops::EmbeddingBackward(stream, tokens.Reshape({tokens.elements()}), dy, tokens.shape[1], table_->grad,
                         positions_ != nullptr ? positions_->grad : View{});
}

}  // namespace galley::layers
