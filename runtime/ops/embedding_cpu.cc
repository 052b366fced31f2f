#include "runtime/ops/cpu.h"
#include "runtime/ops/embedding.h"

namespace galley::ops {
namespace {

template <class T>
GALLEY_SIMD void Forward(int64_t begin, int64_t end, int64_t dim, const int32_t* tokens, Rows<T> table,
                         Rows<T> positions, const int32_t* places, int64_t sequence, Rows<T> y) {
  for (int64_t r = begin; r < end; ++r) {
    const T* word = table[tokens[r]];
    T* out = y[r];
    if (positions.data == nullptr) {
      std::copy_n(word, dim, out);
      continue;
    }
    const T* place = positions[places == nullptr ? r % sequence : places[r]];
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) Store(out + i, Load(word + i) + Load(place + i));
  }
}

// All rows in order, for columns [begin, end): threads own columns, so a table row that many tokens share
// gathers them in one order without locks.
template <class T>
GALLEY_SIMD void Backward(int64_t begin, int64_t end, int64_t rows, int64_t dim, const int32_t* tokens,
                          Rows<T> dy, const int32_t* places, int64_t sequence, float* dtable,
                          float* dpositions) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* up = dy[r];
    float* word = dtable + tokens[r] * dim;
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) word[i] += Load(up + i);
    if (dpositions == nullptr) continue;
    float* place = dpositions + (places == nullptr ? r % sequence : places[r]) * dim;
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) place[i] += Load(up + i);
  }
}

constexpr int64_t kColumnGrain = 16;  // a cache line of f32: two threads never write one

}  // namespace

void EmbeddingForward(CpuStream& stream, View tokens, View table, View positions, View places,
                      int64_t sequence, View y) {
  for (int32_t token : tokens.Span<int32_t>()) CHECK(token >= 0 && token < table.shape[0]) << token;
  const int32_t* at = positions.data == nullptr ? nullptr : CheckedPositions(places, positions.shape[0]);
  WithCompute(y.dtype, [&]<class T>(T) {
    Rows<T> place;
    if (positions.data != nullptr) place = Rows<T>(positions);
    ParallelRows(stream, y.shape[0], y.shape[1], [&](int, int64_t begin, int64_t end) {
      Forward(begin, end, y.shape[1], tokens.As<int32_t>(), Rows<T>(table), place, at, sequence, Rows<T>(y));
    });
  });
}

void EmbeddingBackward(CpuStream& stream, View tokens, View dy, View places, int64_t sequence, View dtable,
                       View dpositions) {
  for (int32_t token : tokens.Span<int32_t>()) CHECK(token >= 0 && token < dtable.shape[0]) << token;
  float* place = dpositions.data == nullptr ? nullptr : dpositions.As<float>();
  const int32_t* at = place == nullptr ? nullptr : CheckedPositions(places, dpositions.shape[0]);
  WithCompute(dy.dtype, [&]<class T>(T) {
    ParallelParts(stream.threads(), dy.shape[1], kColumnGrain, [&](int, int64_t begin, int64_t end) {
      Backward(begin, end, dy.shape[0], dy.shape[1], tokens.As<int32_t>(), Rows<T>(dy), at, sequence,
               dtable.As<float>(), place);
    });
  });
}

}  // namespace galley::ops
