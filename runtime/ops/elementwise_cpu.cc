#include <cstring>

#include "runtime/ops/cpu.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/scratch.h"

namespace galley::ops {
namespace {

constexpr int64_t kGrain = 4096;  // elements: below this a second thread costs more than it gives

template <class T>
GALLEY_SIMD void AddRows(int64_t begin, int64_t end, int64_t cols, Rows<T> a, Rows<T> b, Rows<T> y) {
  for (int64_t r = begin; r < end; ++r) {
    const T* left = a[r];
    const T* right = b[r];
    T* out = y[r];
#pragma omp simd
    for (int64_t i = 0; i < cols; ++i) Store(out + i, Load(left + i) + Load(right + i));
  }
}

template <class From, class To>
GALLEY_SIMD void ConvertRange(const From* from, To* to, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) Store(to + i, Load(from + i));
}

GALLEY_SIMD void ScaleRange(float factor, float* x, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

// In f64: in f32 the square of a gradient below 1e-19 is denormal.
GALLEY_SIMD double SumOfSquares(const float* x, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

}  // namespace

void Add(CpuStream& stream, View a, View b, View y) {
  WithCompute(a.dtype, [&]<class T>(T) {
    ParallelRows(stream, a.shape[0], a.shape[1], [&](int, int64_t begin, int64_t end) {
      AddRows(begin, end, a.shape[1], Rows<T>(a), Rows<T>(b), Rows<T>(y));
    });
  });
}

void Convert(CpuStream& stream, View from, View to) {
  WithCompute(from.dtype, [&]<class From>(From) {
    WithCompute(to.dtype, [&]<class To>(To) {
      ParallelParts(stream.threads(), from.elements(), kGrain, [&](int, int64_t begin, int64_t end) {
        ConvertRange(from.As<From>() + begin, to.As<To>() + begin, end - begin);
      });
    });
  });
}

void Scale(CpuStream& stream, float factor, View x) {
  ParallelParts(stream.threads(), x.elements(), kGrain, [&](int, int64_t begin, int64_t end) {
    ScaleRange(factor, x.As<float>() + begin, end - begin);
  });
}

void Zero(CpuStream& stream, View x) {
  ParallelParts(stream.threads(), x.bytes(), kGrain, [&](int, int64_t begin, int64_t end) {
    std::memset(static_cast<char*>(x.data) + begin, 0, static_cast<size_t>(end - begin));
  });
}

void AddSumOfSquares(CpuStream& stream, View x, View sum) {
  Scratch scratch(stream);
  int64_t n = x.elements();
  int64_t blocks = (n + kSumBlock - 1) / kSumBlock;
  // Blocks of one size, added in order: the sum, by which clipping scales every update, has the same
  // bits for every thread count.
  double* partial = scratch.Take<double>(blocks);
  ParallelParts(stream.threads(), blocks, 1, [&](int, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      partial[b] = SumOfSquares(x.As<float>() + b * kSumBlock, std::min(kSumBlock, n - b * kSumBlock));
    }
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += partial[b];
  sum.As<double>()[0] += total;
}

}  // namespace galley::ops
