#include "runtime/ops/matmul.h"

#include "runtime/ops/cpu.h"
#include "runtime/ops/gemm.h"

namespace galley::ops {
namespace {

// Threads own columns and take the rows in order: the sum does not depend on the thread count.
template <class T>
GALLEY_SIMD void AddColumnSums(int64_t begin, int64_t end, int64_t rows, Rows<T> dy, float* dbias) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* in = dy[r];
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) dbias[i] += Load(in + i);
  }
}

constexpr int64_t kColumnGrain = 64;  // whole cache lines of an aligned dbias, so that threads share none

}  // namespace

void MatmulForward(CpuStream& stream, View x, View w, View bias, View y) {
  Gemm(stream, x, Transposed(w), bias, false, y);
}

void MatmulBackwardInput(CpuStream& stream, View dy, View w, View dx) {
  Gemm(stream, dy, w, View{}, false, dx);
}

void MatmulBackwardWeight(CpuStream& stream, View x, View dy, View dw, View dbias) {
  Gemm(stream, Transposed(dy), x, View{}, true, dw);
  if (dbias.data == nullptr) return;
  WithCompute(dy.dtype, [&]<class T>(T) {
    ParallelParts(stream.threads(), dy.shape[1], kColumnGrain, [&](int, int64_t begin, int64_t end) {
      AddColumnSums(begin, end, dy.shape[0], Rows<T>(dy), dbias.As<float>());
    });
  });
}

}  // namespace galley::ops
