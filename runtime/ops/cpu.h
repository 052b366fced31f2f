// Helpers of the CPU kernels: element types, rows, threads. Included by *_cpu.cc only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "runtime/ops/simd.h"
#include "runtime/tensor/stream.h"

namespace galley::ops {

// Calls f with a value of the element type: float or BF16.
template <class F>
void WithCompute(DType dtype, F&& f) {
  if (dtype == DType::kF32) {
    f(float{});
  } else {
    CHECK(dtype == DType::kBF16) << Name(dtype) << " is not a compute type";
    f(BF16{});
  }
}

// A matrix as kernels see it: rows of unit stride, `stride` elements apart.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t stride = 0;

  Rows() = default;
  explicit Rows(const View& v) : data(v.As<T>()), stride(v.strides[0]) {}
  GALLEY_INLINE T* operator[](int64_t r) const { return data + r * stride; }
};

// The positions of rows in a table of `table_rows`; null for View{}. The caller checks what comes from data
// before it goes to the device; this check finds our own bugs, and on the CPU it costs nothing.
inline const int32_t* CheckedPositions(const View& positions, int64_t table_rows) {
  if (positions.data == nullptr) return nullptr;
  for (int32_t p : positions.Span<int32_t>()) CHECK(p >= 0 && p < table_rows) << p;
  return positions.As<int32_t>();
}

// Calls f(part, begin, end) for `parts` equal shares of [0, n), in multiples of `grain`, each on a thread of
// its own. The shares depend on n, grain and parts only: partial sums are kept by part, so equal shares are
// what makes their bits equal in every run.
template <class F>
void ParallelParts(int parts, int64_t n, int64_t grain, F&& f) {
  int64_t grains = (n + grain - 1) / grain;
  if (parts == 1 || grains == 1) {
    f(0, int64_t{0}, n);
    return;
  }
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) {
    int64_t begin = std::min(n, grains * part / parts * grain);
    int64_t end = std::min(n, grains * (part + 1) / parts * grain);
    if (begin < end) f(part, begin, end);
  }
}

// The same over the rows of a (rows, cols) matrix; a share is never so small that a second
// thread costs more than it gives.
template <class F>
void ParallelRows(const CpuStream& stream, int64_t rows, int64_t cols, F&& f) {
  constexpr int64_t kElements = 4096;
  ParallelParts(stream.threads(), rows, std::max<int64_t>(1, kElements / std::max<int64_t>(cols, 1)),
                std::forward<F>(f));
}

// A vector parameter in f32: itself, or widened into scratch.
inline const float* Widened(Scratch& scratch, const View& v) {
  if (v.data == nullptr) return nullptr;
  if (v.dtype == DType::kF32) return v.As<float>();
  const BF16* from = v.As<BF16>();
  float* to = scratch.Take<float>(v.elements());
  for (int64_t i = 0; i < v.elements(); ++i) to[i] = Load(from + i);
  return to;
}

// to += the `parts` vectors of n in `partials`, in order: their bits depend on the thread count alone.
inline void AddPartials(int parts, int64_t n, const float* partials, float* to) {
  for (int part = 0; part < parts; ++part) {
    for (int64_t i = 0; i < n; ++i) to[i] += partials[part * n + i];
  }
}

}  // namespace galley::ops
