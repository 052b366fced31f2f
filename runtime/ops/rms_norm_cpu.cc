#include <cmath>

#include "runtime/ops/cpu.h"
#include "runtime/ops/rms_norm.h"

namespace galley::ops {
namespace {

// The normalised value as the compute type holds it.
template <class T>
GALLEY_INLINE float Rounded(float n) {
  T t;
  Store(&t, n);
  return Load(&t);
}

template <class T>
GALLEY_SIMD void Forward(int64_t begin, int64_t end, int64_t dim, Rows<T> x, const float* gain, float eps,
                         Rows<T> y, float* inv_rms) {
  for (int64_t r = begin; r < end; ++r) {
    const T* in = x[r];
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < dim; ++i) squares += Load(in + i) * Load(in + i);
    float inv = 1.0f / std::sqrt(squares / static_cast<float>(dim) + eps);
    T* out = y[r];
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) Store(out + i, Rounded<T>(Load(in + i) * inv) * gain[i]);
    inv_rms[r] = inv;
  }
}

// With n = x inv and g = dy gain: dx = inv (g - n mean(g n)). dgain is this thread's own sum, and takes n as
// it was rounded before the gain; dx takes the rounding for the identity.
template <class T>
GALLEY_SIMD void Backward(int64_t begin, int64_t end, int64_t dim, Rows<T> x, const float* gain,
                          const float* inv_rms, Rows<T> dy, Rows<T> residual, Rows<T> dx, float* dgain) {
  for (int64_t r = begin; r < end; ++r) {
    const T* in = x[r];
    const T* up = dy[r];
    float inv = inv_rms[r];
    float sum_gn = 0;
#pragma omp simd reduction(+ : sum_gn)
    for (int64_t i = 0; i < dim; ++i) {
      float n = Load(in + i) * inv;
      float d = Load(up + i);
      sum_gn += d * gain[i] * n;
      dgain[i] += d * Rounded<T>(n);
    }
    float mean_gn = sum_gn / static_cast<float>(dim);
    T* out = dx[r];
    const T* skip = residual.data == nullptr ? nullptr : residual[r];
    // out may be up or skip: each element is read before it is written.
    if (skip != nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) {
        Store(out + i, Load(skip + i) + inv * (Load(up + i) * gain[i] - Load(in + i) * inv * mean_gn));
      }
    } else {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) {
        Store(out + i, inv * (Load(up + i) * gain[i] - Load(in + i) * inv * mean_gn));
      }
    }
  }
}

}  // namespace

void RmsNormForward(CpuStream& stream, View x, View gain, float eps, View y, View inv_rms) {
  Scratch scratch(stream);
  const float* g = Widened(scratch, gain);
  WithCompute(x.dtype, [&]<class T>(T) {
    ParallelRows(stream, x.shape[0], x.shape[1], [&](int, int64_t begin, int64_t end) {
      Forward(begin, end, x.shape[1], Rows<T>(x), g, eps, Rows<T>(y), inv_rms.As<float>());
    });
  });
}

void RmsNormBackward(CpuStream& stream, View x, View gain, View inv_rms, View dy, View residual, View dx,
                     View dgain) {
  Scratch scratch(stream);
  int64_t dim = x.shape[1];
  const float* g = Widened(scratch, gain);
  float* partial = scratch.Take<float>(stream.threads() * dim);
  std::fill_n(partial, stream.threads() * dim, 0.0f);
  WithCompute(x.dtype, [&]<class T>(T) {
    Rows<T> skip;
    if (residual.data != nullptr) skip = Rows<T>(residual);
    ParallelRows(stream, x.shape[0], x.shape[1], [&](int part, int64_t begin, int64_t end) {
      Backward(begin, end, dim, Rows<T>(x), g, inv_rms.As<float>(), Rows<T>(dy), skip, Rows<T>(dx),
               partial + part * dim);
    });
  });
  AddPartials(stream.threads(), dim, partial, dgain.As<float>());
}

}  // namespace galley::ops
