#include <cmath>

#include "runtime/ops/adamw_update.h"
#include "runtime/ops/cpu.h"

namespace galley::ops {
namespace {

constexpr int64_t kGrain = 4096;  // elements: below this a second thread costs more than it gives

template <bool kCopy>
GALLEY_SIMD void Update(const AdamWStep& s, int64_t n, const float* grad, float* m, float* v, float* w,
                        BF16* copy) {
  // The corrections as factors: a division and a root an element are left, and the loop waits for memory (28
  // bytes an element in f32), not for them.
  const float inv1 = 1.0f / s.correction1, inv2 = 1.0f / s.correction2;
  const float keep1 = s.beta1, take1 = 1.0f - s.beta1, keep2 = s.beta2, take2 = 1.0f - s.beta2;
  const float scale = s.grad_scale, lr = s.lr, eps = s.eps, shrink = s.lr * s.weight_decay;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    float g = grad[i] * scale;
    float m1 = keep1 * m[i] + take1 * g;
    float v1 = keep2 * v[i] + take2 * g * g;
    // The decay is decoupled: of the weight before the step, by lr alone, untouched by the moments.
    float w1 = w[i] - shrink * w[i] - lr * (m1 * inv1) / (std::sqrt(v1 * inv2) + eps);
    m[i] = m1;
    v[i] = v1;
    w[i] = w1;
    if constexpr (kCopy) Store(copy + i, w1);
  }
}

}  // namespace

void AdamWUpdate(CpuStream& stream, const AdamWStep& step, View grad, View m, View v, View w, View copy) {
  ParallelParts(stream.threads(), w.elements(), kGrain, [&](int, int64_t begin, int64_t end) {
    auto at = [&](const View& view) { return view.As<float>() + begin; };
    if (copy.data != nullptr) {
      Update<true>(step, end - begin, at(grad), at(m), at(v), at(w), copy.As<BF16>() + begin);
    } else {
      Update<false>(step, end - begin, at(grad), at(m), at(v), at(w), nullptr);
    }
  });
}

}  // namespace galley::ops
