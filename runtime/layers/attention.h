// Causal self-attention with its projections: out(attend(rotate(qkv(x)))).
#pragma once

#include "runtime/layers/lay.h"
#include "runtime/layers/linear.h"
#include "runtime/ops/attention.h"

namespace galley::layers {

struct AttentionSpec {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  View rope;  // (context, head_dim) f32, ops/rope.h; View{}: no rotation
};

class Attention {
 public:
  // qkv: rows [q heads | k heads | v heads], each head_dim. out: (hidden, heads * head_dim).
  Attention(const AttentionSpec& spec, Linear qkv, Linear out);

  void Lay(Extent extent, Arena& kept, Arena& scratch);

  // x, y: (rows, hidden), the batch's rows.
  void Forward(Stream& stream, const Places& places, View x, View y);
  // REQUIRES: the last Forward was of this x. Writes dx, adds to the parameters' gradients.
  void Backward(Stream& stream, const Places& places, View x, View dy, View dx);

 private:
  ops::AttentionShape ShapeOf(int64_t sequence) const;
  bool rotates() const { return spec_.rope.data != nullptr; }
  int64_t rotated_heads() const { return spec_.heads + spec_.kv_heads; }

  AttentionSpec spec_;
  Linear qkv_;
  Linear out_;
  View joint_;     // (rows, (heads + 2 kv_heads) * head_dim): q, k, v after the rotation
  View attended_;  // (rows, heads * head_dim)
  View log_sum_;   // (rows, heads) f32
  View djoint_;
  View dattended_;
};

}  // namespace galley::layers
