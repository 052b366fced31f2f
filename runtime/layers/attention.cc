#include "runtime/layers/attention.h"

#include "runtime/base/check.h"
#include "runtime/ops/rope.h"

namespace galley::layers {

Attention::Attention(const AttentionSizes& sizes, View rope, Linear qkv, Linear out)
    : sizes_(sizes), rope_(rope), qkv_(qkv), out_(out) {
  CHECK_EQ(qkv_.out(), sizes.joint());
  CHECK_EQ(out_.in(), sizes.attended());
}

ops::AttentionShape Attention::ShapeOf(int64_t sequence) const {
  return {.heads = sizes_.heads,
          .kv_heads = sizes_.kv_heads,
          .head_dim = sizes_.head_dim,
          .sequence = sequence,
          .causal = sizes_.causal};
}

void Attention::Forward(Stream& stream, const Sequences& sequences, const AttentionActivations& a, View x,
                        View y) const {
  const int64_t rows = x.shape[0];
  View joint = a.joint.Rows(0, rows), attended = a.attended.Rows(0, rows);
  qkv_.Forward(stream, x, joint);
  if (rotates()) {
    ops::RopeForward(stream, rope_, rotated_heads(), sequences.positions, sequences.length, joint);
  }
  ops::AttentionForward(stream, ShapeOf(sequences.length), joint, sequences.starts, attended,
                        a.log_sum.Rows(0, rows));
  out_.Forward(stream, attended, y);
}

void Attention::Backward(Stream& stream, const Sequences& sequences, const AttentionActivations& a, View x,
                         View dy, View dx) const {
  const int64_t rows = x.shape[0];
  View attended = a.attended.Rows(0, rows), dattended = a.dattended.Rows(0, rows);
  View djoint = a.djoint.Rows(0, rows);
  out_.Backward(stream, attended, dy, dattended);
  ops::AttentionBackward(stream, ShapeOf(sequences.length), a.joint.Rows(0, rows), sequences.starts, attended,
                         a.log_sum.Rows(0, rows), dattended, djoint);
  // The rotation is linear and orthogonal: its gradient is the rotation back and needs no input, so q
  // and k are kept as rotated only.
  if (rotates()) {
    ops::RopeBackward(stream, rope_, rotated_heads(), sequences.positions, sequences.length, djoint);
  }
  qkv_.Backward(stream, x, djoint, dx);
}

}  // namespace galley::layers
