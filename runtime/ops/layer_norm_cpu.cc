#include <cmath>

#include "runtime/ops/cpu.h"
#include "runtime/ops/layer_norm.h"

namespace galley::ops {
namespace {

template <class T>
GALLEY_SIMD void Forward(int64_t begin, int64_t end, int64_t dim, Rows<T> x, const float* gain,
                         const float* bias, float eps, Rows<T> y, float* mean, float* inv_std) {
  for (int64_t r = begin; r < end; ++r) {
    const T* in = x[r];
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < dim; ++i) sum += Load(in + i);
    float mu = sum / static_cast<float>(dim);
    // Two passes: the one-pass form loses the variance when the mean is large beside it.
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < dim; ++i) {
      float d = Load(in + i) - mu;
      squares += d * d;
    }
    float inv = 1.0f / std::sqrt(squares / static_cast<float>(dim) + eps);
    T* out = y[r];
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) Store(out + i, (Load(in + i) - mu) * inv * gain[i] + bias[i]);
    mean[r] = mu;
    inv_std[r] = inv;
  }
}

// With n the normalised value and g = dy gain: dx = (g - mean(g) - n mean(g n)) / std. dgain and dbias are
// this thread's own sums, which AddPartials joins.
template <class T>
GALLEY_SIMD void Backward(int64_t begin, int64_t end, int64_t dim, Rows<T> x, const float* gain,
                          const float* mean, const float* inv_std, Rows<T> dy, Rows<T> residual, Rows<T> dx,
                          float* dgain, float* dbias) {
  for (int64_t r = begin; r < end; ++r) {
    const T* in = x[r];
    const T* up = dy[r];
    float mu = mean[r], inv = inv_std[r];
    float sum_g = 0, sum_gn = 0;
#pragma omp simd reduction(+ : sum_g, sum_gn)
    for (int64_t i = 0; i < dim; ++i) {
      float n = (Load(in + i) - mu) * inv;
      float d = Load(up + i);
      float g = d * gain[i];
      sum_g += g;
      sum_gn += g * n;
      dgain[i] += d * n;
      dbias[i] += d;
    }
    float mean_g = sum_g / static_cast<float>(dim), mean_gn = sum_gn / static_cast<float>(dim);
    T* out = dx[r];
    const T* skip = residual.data == nullptr ? nullptr : residual[r];
    // out may be up or skip: each element is read before it is written.
    if (skip != nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) {
        float n = (Load(in + i) - mu) * inv;
        Store(out + i, Load(skip + i) + inv * (Load(up + i) * gain[i] - mean_g - n * mean_gn));
      }
    } else {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) {
        float n = (Load(in + i) - mu) * inv;
        Store(out + i, inv * (Load(up + i) * gain[i] - mean_g - n * mean_gn));
      }
    }
  }
}

}  // namespace

void LayerNormForward(CpuStream& stream, View x, View gain, View bias, float eps, View y, View mean,
                      View inv_std) {
  Scratch scratch(stream);
  const float* g = Widened(scratch, gain);
  const float* b = Widened(scratch, bias);
  WithCompute(x.dtype, [&]<class T>(T) {
    ParallelRows(stream, x.shape[0], x.shape[1], [&](int, int64_t begin, int64_t end) {
      Forward(begin, end, x.shape[1], Rows<T>(x), g, b, eps, Rows<T>(y), mean.As<float>(),
              inv_std.As<float>());
    });
  });
}

void LayerNormBackward(CpuStream& stream, View x, View gain, View mean, View inv_std, View dy, View residual,
                       View dx, View dgain, View dbias) {
  Scratch scratch(stream);
  int64_t dim = x.shape[1];
  const float* g = Widened(scratch, gain);
  float* partial_gain = scratch.Take<float>(stream.threads() * dim);
  float* partial_bias = scratch.Take<float>(stream.threads() * dim);
  std::fill_n(partial_gain, stream.threads() * dim, 0.0f);
  std::fill_n(partial_bias, stream.threads() * dim, 0.0f);
  WithCompute(x.dtype, [&]<class T>(T) {
    Rows<T> skip;
    if (residual.data != nullptr) skip = Rows<T>(residual);
    ParallelRows(stream, x.shape[0], x.shape[1], [&](int part, int64_t begin, int64_t end) {
      Backward(begin, end, dim, Rows<T>(x), g, mean.As<float>(), inv_std.As<float>(), Rows<T>(dy), skip,
               Rows<T>(dx), partial_gain + part * dim, partial_bias + part * dim);
    });
  });
  AddPartials(stream.threads(), dim, partial_gain, dgain.As<float>());
  AddPartials(stream.threads(), dim, partial_bias, dbias.As<float>());
}

}  // namespace galley::ops
