#include "runtime/ops/cpu.h"
#include "runtime/ops/gelu.h"

namespace galley::ops {
namespace {

struct ValueAndSlope {
  float value;
  float slope;
};

struct TanhForm {
  GALLEY_INLINE static ValueAndSlope At(float x) {
    constexpr float kRoot = 0.7978845608028654f;  // sqrt(2 / pi)
    constexpr float kCubic = 0.044715f;
    float t = Tanh(kRoot * (x + kCubic * x * x * x));
    float slope = 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * kRoot * (1.0f + 3.0f * kCubic * x * x);
    return {0.5f * x * (1.0f + t), slope};
  }
};

struct ErfForm {
  // The normal distribution function by the complement of erf: Abramowitz and Stegun, 7.1.26, within 1.5e-7.
  // Of |x|, and mirrored: 1 + erf(x) would cancel far below zero.
  GALLEY_INLINE static ValueAndSlope At(float x) {
    constexpr float kInvRoot2 = 0.7071067811865476f;
    constexpr float kInvRoot2Pi = 0.3989422804014327f;
    float z = (x < 0.0f ? -x : x) * kInvRoot2;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float bell = Exp(-z * z);
    float tail = 0.5f * p * t * bell;
    float below = x < 0.0f ? tail : 1.0f - tail;
    return {x * below, below + x * kInvRoot2Pi * bell};
  }
};

template <class Form, class T>
GALLEY_SIMD void Forward(int64_t begin, int64_t end, int64_t cols, Rows<T> x, Rows<T> y) {
  for (int64_t r = begin; r < end; ++r) {
    const T* in = x[r];
    T* out = y[r];
#pragma omp simd
    for (int64_t i = 0; i < cols; ++i) Store(out + i, Form::At(Load(in + i)).value);
  }
}

template <class Form, class T>
GALLEY_SIMD void Backward(int64_t begin, int64_t end, int64_t cols, Rows<T> x, Rows<T> dy, Rows<T> dx) {
  for (int64_t r = begin; r < end; ++r) {
    const T* in = x[r];
    const T* up = dy[r];
    T* out = dx[r];
#pragma omp simd
    for (int64_t i = 0; i < cols; ++i) Store(out + i, Load(up + i) * Form::At(Load(in + i)).slope);
  }
}

}  // namespace

void GeluForward(CpuStream& stream, Gelu kind, View x, View y) {
  WithCompute(x.dtype, [&]<class T>(T) {
    ParallelRows(stream, x.shape[0], x.shape[1], [&](int, int64_t begin, int64_t end) {
      auto run = kind == Gelu::kTanh ? Forward<TanhForm, T> : Forward<ErfForm, T>;
      run(begin, end, x.shape[1], Rows<T>(x), Rows<T>(y));
    });
  });
}

void GeluBackward(CpuStream& stream, Gelu kind, View x, View dy, View dx) {
  WithCompute(x.dtype, [&]<class T>(T) {
    ParallelRows(stream, x.shape[0], x.shape[1], [&](int, int64_t begin, int64_t end) {
      auto run = kind == Gelu::kTanh ? Backward<TanhForm, T> : Backward<ErfForm, T>;
      run(begin, end, x.shape[1], Rows<T>(x), Rows<T>(dy), Rows<T>(dx));
    });
  });
}

}  // namespace galley::ops
