#include "runtime/ops/embedding.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void EmbeddingForward(Stream& stream, View tokens, View table, View position_table, View positions,
                      int64_t sequence, View y) {
  CheckDense(tokens, DType::kI32, {tokens.shape[0]});
  CheckMatrix(y, y.dtype, tokens.shape[0], y.shape[1]);
  CheckMatrix(table, y.dtype, table.shape[0], y.shape[1]);
  if (!Absent(positions)) CheckDense(positions, DType::kI32, {tokens.shape[0]});
  if (!Absent(position_table)) {
    CheckMatrix(position_table, y.dtype, position_table.shape[0], y.shape[1]);
    CHECK_LE(sequence, position_table.shape[0]);
  }
  Launch(stream, {tokens.data, table.data, position_table.data, positions.data, y.data},
         [&](auto& s) { EmbeddingForward(s, tokens, table, position_table, positions, sequence, y); });
}

void EmbeddingBackward(Stream& stream, View tokens, View dy, View positions, int64_t sequence, View dtable,
                       View dposition_table) {
  CheckDense(tokens, DType::kI32, {tokens.shape[0]});
  CheckMatrix(dy, dy.dtype, tokens.shape[0], dy.shape[1]);
  CheckDense(dtable, DType::kF32, {dtable.shape[0], dy.shape[1]});
  if (!Absent(positions)) CheckDense(positions, DType::kI32, {tokens.shape[0]});
  if (!Absent(dposition_table)) {
    CheckDense(dposition_table, DType::kF32, {dposition_table.shape[0], dy.shape[1]});
    CHECK_LE(sequence, dposition_table.shape[0]);
  }
  Launch(stream, {tokens.data, dy.data, positions.data, dtable.data, dposition_table.data},
         [&](auto& s) { EmbeddingBackward(s, tokens, dy, positions, sequence, dtable, dposition_table); });
}

}  // namespace galley::ops
