#include "runtime/ops/cpu.h"
#include "runtime/ops/swiglu.h"

namespace galley::ops {
namespace {

template <class T>
GALLEY_SIMD void Forward(int64_t begin, int64_t end, int64_t f, Rows<T> gate_up, Rows<T> y) {
  for (int64_t r = begin; r < end; ++r) {
    const T* gate = gate_up[r];
    const T* up = gate + f;
    T* out = y[r];
#pragma omp simd
    for (int64_t i = 0; i < f; ++i) {
      float a = Load(gate + i);
      Store(out + i, a * Sigmoid(a) * Load(up + i));
    }
  }
}

// With s = sigmoid(a): y = a s u, dy/du = a s, dy/da = u s (1 + a (1 - s)).
template <class T>
GALLEY_SIMD void Backward(int64_t begin, int64_t end, int64_t f, Rows<T> gate_up, Rows<T> dy, Rows<T> dx) {
  for (int64_t r = begin; r < end; ++r) {
    const T* gate = gate_up[r];
    const T* up = gate + f;
    const T* d = dy[r];
    T* dgate = dx[r];
    T* dup = dgate + f;
    // dgate may be gate: each pair is read before it is written.
#pragma omp simd
    for (int64_t i = 0; i < f; ++i) {
      float a = Load(gate + i), u = Load(up + i), g = Load(d + i);
      float s = Sigmoid(a);
      Store(dgate + i, g * u * s * (1.0f + a * (1.0f - s)));
      Store(dup + i, g * a * s);
    }
  }
}

}  // namespace

void SwigluForward(CpuStream& stream, View gate_up, View y) {
  WithCompute(y.dtype, [&]<class T>(T) {
    ParallelRows(stream, y.shape[0], y.shape[1], [&](int, int64_t begin, int64_t end) {
      Forward(begin, end, y.shape[1], Rows<T>(gate_up), Rows<T>(y));
    });
  });
}

void SwigluBackward(CpuStream& stream, View gate_up, View dy, View dgate_up) {
  WithCompute(dy.dtype, [&]<class T>(T) {
    ParallelRows(stream, dy.shape[0], dy.shape[1], [&](int, int64_t begin, int64_t end) {
      Backward(begin, end, dy.shape[1], Rows<T>(gate_up), Rows<T>(dy), Rows<T>(dgate_up));
    });
  });
}

}  // namespace galley::ops
