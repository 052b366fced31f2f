#include "runtime/ops/cpu.h"
#include "runtime/ops/rope.h"

namespace galley::ops {
namespace {

// sign: +1 rotates by the angle, -1 back.
template <class T>
GALLEY_SIMD void Rotate(int64_t begin, int64_t end, const float* table, int64_t head_dim, int64_t heads,
                        const int32_t* positions, int64_t sequence, float sign, Rows<T> x) {
  int64_t half = head_dim / 2;
  for (int64_t r = begin; r < end; ++r) {
    const float* cosine = table + (positions == nullptr ? r % sequence : positions[r]) * head_dim;
    const float* sine = cosine + half;
    for (int64_t h = 0; h < heads; ++h) {
      T* a = x[r] + h * head_dim;
      T* b = a + half;
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        float u = Load(a + i), v = Load(b + i);
        float s = sign * sine[i];
        Store(a + i, u * cosine[i] - v * s);
        Store(b + i, v * cosine[i] + u * s);
      }
    }
  }
}

void RotateAll(CpuStream& stream, const View& table, int64_t heads, const View& positions, int64_t sequence,
               float sign, const View& x) {
  const int32_t* at = CheckedPositions(positions, table.shape[0]);
  WithCompute(x.dtype, [&]<class T>(T) {
    ParallelRows(stream, x.shape[0], x.shape[1], [&](int, int64_t begin, int64_t end) {
      Rotate(begin, end, table.As<float>(), table.shape[1], heads, at, sequence, sign, Rows<T>(x));
    });
  });
}

}  // namespace

void RopeForward(CpuStream& stream, View table, int64_t heads, View positions, int64_t sequence, View x) {
  RotateAll(stream, table, heads, positions, sequence, 1.0f, x);
}

void RopeBackward(CpuStream& stream, View table, int64_t heads, View positions, int64_t sequence, View dx) {
  RotateAll(stream, table, heads, positions, sequence, -1.0f, dx);
}

}  // namespace galley::ops
