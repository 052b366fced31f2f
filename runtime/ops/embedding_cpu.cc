#include "runtime/ops/cpu.h"
#include "runtime/ops/embedding.h"

namespace galley::ops {
namespace {

template <class T>
GALLEY_SIMD void Forward(int64_t begin, int64_t end, int64_t dim, const int32_t* tokens, Rows<T> table,
                         Rows<T> position_table, const int32_t* positions, int64_t sequence, Rows<T> y) {
  for (int64_t r = begin; r < end; ++r) {
    const T* token_row = table[tokens[r]];
    T* out = y[r];
    if (position_table.data == nullptr) {
      std::copy_n(token_row, dim, out);
      continue;
    }
    const T* position = position_table[positions == nullptr ? r % sequence : positions[r]];
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) Store(out + i, Load(token_row + i) + Load(position + i));
  }
}

// All rows in order, for columns [begin, end): threads own columns, so a table row that many tokens share
// gathers them in one order without locks.
template <class T>
GALLEY_SIMD void Backward(int64_t begin, int64_t end, int64_t rows, int64_t dim, const int32_t* tokens,
                          Rows<T> dy, const int32_t* positions, int64_t sequence, float* dtable,
                          float* dposition_table) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* up = dy[r];
    float* token_row = dtable + tokens[r] * dim;
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) token_row[i] += Load(up + i);
    if (dposition_table == nullptr) continue;
    float* position = dposition_table + (positions == nullptr ? r % sequence : positions[r]) * dim;
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) position[i] += Load(up + i);
  }
}

constexpr int64_t kColumnGrain = 16;  // a cache line of f32: two threads never write one

}  // namespace

void EmbeddingForward(CpuStream& stream, View tokens, View table, View position_table, View positions,
                      int64_t sequence, View y) {
  for (int32_t token : tokens.Span<int32_t>()) CHECK(token >= 0 && token < table.shape[0]) << token;
  const int32_t* at =
      position_table.data == nullptr ? nullptr : CheckedPositions(positions, position_table.shape[0]);
  WithCompute(y.dtype, [&]<class T>(T) {
    Rows<T> learned;
    if (position_table.data != nullptr) learned = Rows<T>(position_table);
    ParallelRows(stream, y.shape[0], y.shape[1], [&](int, int64_t begin, int64_t end) {
      Forward(begin, end, y.shape[1], tokens.As<int32_t>(), Rows<T>(table), learned, at, sequence,
              Rows<T>(y));
    });
  });
}

void EmbeddingBackward(CpuStream& stream, View tokens, View dy, View positions, int64_t sequence, View dtable,
                       View dposition_table) {
  for (int32_t token : tokens.Span<int32_t>()) CHECK(token >= 0 && token < dtable.shape[0]) << token;
  float* dlearned = dposition_table.data == nullptr ? nullptr : dposition_table.As<float>();
  const int32_t* at = dlearned == nullptr ? nullptr : CheckedPositions(positions, dposition_table.shape[0]);
  WithCompute(dy.dtype, [&]<class T>(T) {
    ParallelParts(stream.threads(), dy.shape[1], kColumnGrain, [&](int, int64_t begin, int64_t end) {
      Backward(begin, end, dy.shape[0], dy.shape[1], tokens.As<int32_t>(), Rows<T>(dy), at, sequence,
               dtable.As<float>(), dlearned);
    });
  });
}

}  // namespace galley::ops
