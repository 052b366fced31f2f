#include "runtime/ops/attention.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {
namespace {

void CheckAttention(const AttentionShape& shape, const View& qkv, const View& starts, const View& y,
                    const View& log_sum) {
  CHECK(shape.heads > 0 && shape.kv_heads > 0 && shape.head_dim > 0 && shape.sequence > 0);
  CHECK_EQ(shape.heads % shape.kv_heads, 0);
  int64_t rows = qkv.shape[0];
  CHECK_EQ(rows % shape.sequence, 0);
  CheckMatrix(qkv, qkv.dtype, rows, (shape.heads + 2 * shape.kv_heads) * shape.head_dim);
  CheckMatrix(y, qkv.dtype, rows, shape.heads * shape.head_dim);
  if (!Absent(starts)) CheckDense(starts, DType::kI32, {rows});
  CheckDense(log_sum, DType::kF32, {rows, shape.heads});
}

}  // namespace

void AttentionForward(Stream& stream, const AttentionShape& shape, View qkv, View starts, View y,
                      View log_sum) {
  CheckAttention(shape, qkv, starts, y, log_sum);
  Launch(stream, {qkv.data, starts.data, y.data, log_sum.data},
         [&](auto& s) { AttentionForward(s, shape, qkv, starts, y, log_sum); });
}

void AttentionBackward(Stream& stream, const AttentionShape& shape, View qkv, View starts, View y,
                       View log_sum, View dy, View dqkv) {
  CheckAttention(shape, qkv, starts, y, log_sum);
  CheckMatrix(dy, qkv.dtype, y.shape[0], y.shape[1]);
  CheckMatrix(dqkv, qkv.dtype, qkv.shape[0], qkv.shape[1]);
  CHECK(dqkv.data != qkv.data);
  Launch(stream, {qkv.data, starts.data, y.data, log_sum.data, dy.data, dqkv.data},
         [&](auto& s) { AttentionBackward(s, shape, qkv, starts, y, log_sum, dy, dqkv); });
}

}  // namespace galley::ops
