#include "runtime/layers/attention.h"

#include "runtime/base/check.h"
#include "runtime/ops/rope.h"

namespace galley::layers {

Attention::Attention(const AttentionSpec& spec, Linear qkv, Linear out) : spec_(spec), qkv_(qkv), out_(out) {
  CHECK_EQ(qkv_.out(), (spec.heads + 2 * spec.kv_heads) * spec.head_dim);
  CHECK_EQ(out_.in(), spec.heads * spec.head_dim);
}

void Attention::Lay(Extent extent, Arena& kept, Arena& scratch) {
  const Shape joint{extent.rows, qkv_.out()}, attended{extent.rows, out_.in()};
  joint_ = kept.Take(extent.compute, joint);
  attended_ = kept.Take(extent.compute, attended);
  log_sum_ = kept.Take(DType::kF32, {extent.rows, spec_.heads});
  djoint_ = scratch.Take(extent.compute, joint);
  dattended_ = scratch.Take(extent.compute, attended);
}

ops::AttentionShape Attention::ShapeOf(int64_t sequence) const {
  return {.heads = spec_.heads, .kv_heads = spec_.kv_heads, .head_dim = spec_.head_dim, .sequence = sequence};
}

void Attention::Forward(Stream& stream, const Places& places, View x, View y) {
  const int64_t rows = x.shape[0];
  View joint = joint_.Rows(0, rows), attended = attended_.Rows(0, rows);
  qkv_.Forward(stream, x, joint);
  if (rotates())
    ops::RopeForward(stream, spec_.rope, rotated_heads(), places.positions, places.sequence, joint);
  ops::AttentionForward(stream, ShapeOf(places.sequence), joint, places.starts, attended,
                        log_sum_.Rows(0, rows));
  out_.Forward(stream, attended, y);
}

void Attention::Backward(Stream& stream, const Places& places, View x, View dy, View dx) {
  const int64_t rows = x.shape[0];
  View attended = attended_.Rows(0, rows), dattended = dattended_.Rows(0, rows);
  View djoint = djoint_.Rows(0, rows);
  out_.Backward(stream, attended, dy, dattended);
  ops::AttentionBackward(stream, ShapeOf(places.sequence), joint_.Rows(0, rows), places.starts, attended,
                         log_sum_.Rows(0, rows), dattended, djoint);
  if (rotates())
    ops::RopeBackward(stream, spec_.rope, rotated_heads(), places.positions, places.sequence, djoint);
  qkv_.Backward(stream, x, djoint, dx);
}

}  // namespace galley::layers
