#include "runtime/ops/embedding.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void EmbeddingForward(Stream& stream, View tokens, View table, View positions, View places, int64_t sequence,
                      View y) {
  CheckDense(tokens, DType::kI32, {tokens.shape[0]});
  CheckMatrix(y, y.dtype, tokens.shape[0], y.shape[1]);
  CheckMatrix(table, y.dtype, table.shape[0], y.shape[1]);
  if (!Absent(places)) CheckDense(places, DType::kI32, {tokens.shape[0]});
  if (!Absent(positions)) {
    CheckMatrix(positions, y.dtype, positions.shape[0], y.shape[1]);
    CHECK_LE(sequence, positions.shape[0]);
  }
  Launch(stream, {tokens.data, table.data, positions.data, places.data, y.data},
         [&](auto& s) { EmbeddingForward(s, tokens, table, positions, places, sequence, y); });
}

void EmbeddingBackward(Stream& stream, View tokens, View dy, View places, int64_t sequence, View dtable,
                       View dpositions) {
  CheckDense(tokens, DType::kI32, {tokens.shape[0]});
  CheckMatrix(dy, dy.dtype, tokens.shape[0], dy.shape[1]);
  CheckDense(dtable, DType::kF32, {dtable.shape[0], dy.shape[1]});
  if (!Absent(places)) CheckDense(places, DType::kI32, {tokens.shape[0]});
  if (!Absent(dpositions)) {
    CheckDense(dpositions, DType::kF32, {dpositions.shape[0], dy.shape[1]});
    CHECK_LE(sequence, dpositions.shape[0]);
  }
  Launch(stream, {tokens.data, dy.data, places.data, dtable.data, dpositions.data},
         [&](auto& s) { EmbeddingBackward(s, tokens, dy, places, sequence, dtable, dpositions); });
}

}  // namespace galley::ops
