// Self-attention with its projections: out(attend(rotate(qkv(x)))).
#pragma once

#include "runtime/layers/activations.h"
#include "runtime/layers/linear.h"
#include "runtime/ops/attention.h"

namespace galley::layers {

class Attention {
 public:
  // rope: (context, head_dim) f32, ops/rope.h; View{}: no rotation.
  // qkv: rows [q heads | k heads | v heads], each head_dim. out: (hidden, heads * head_dim).
  Attention(const AttentionSizes& sizes, View rope, Linear qkv, Linear out);

  // x, y: (rows, hidden), the batch's rows.
  void Forward(Stream& stream, const Sequences& sequences, const AttentionActivations& a, View x,
               View y) const;
  // REQUIRES: `a` is what Forward left for this x. Writes dx, adds to the parameters' gradients.
  void Backward(Stream& stream, const Sequences& sequences, const AttentionActivations& a, View x, View dy,
                View dx) const;

 private:
  ops::AttentionShape ShapeOf(int64_t sequence) const;
  bool rotates() const { return rope_.data != nullptr; }
  int64_t rotated_heads() const { return sizes_.heads + sizes_.kv_heads; }

  AttentionSizes sizes_;
  View rope_;
  Linear qkv_;
  Linear out_;
};

}  // namespace galley::layers
