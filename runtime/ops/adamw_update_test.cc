#include "runtime/ops/adamw_update.h"

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

TEST(AdamWUpdate, AgreesWithDoubleOverSeveralSteps) {
  constexpr int64_t kN = 10007;
  Stream stream{CpuStream(2)};
  Doubles w = Random(kN, 1), m(kN), v(kN);
  Tensor tw(DType::kF32, 1, kN, w), tm(DType::kF32, 1, kN), tv(DType::kF32, 1, kN), copy(DType::kBF16, 1, kN);
  for (int t = 1; t <= 5; ++t) {
    Doubles g = Random(kN, 10 + static_cast<uint64_t>(t));
    Tensor tg(DType::kF32, 1, kN, g);
    double lr = 1e-2 / t, c1 = 1 - std::pow(0.9, t), c2 = 1 - std::pow(0.95, t), scale = 0.5, decay = 0.1;
    for (size_t i = 0; i < w.size(); ++i) {
      double gi = scale * g[i];
      m[i] = 0.9 * m[i] + 0.1 * gi;
      v[i] = 0.95 * v[i] + 0.05 * gi * gi;
      w[i] -= lr * (m[i] / c1 / (std::sqrt(v[i] / c2) + 1e-8) + decay * w[i]);
    }
    AdamWStep step;
    step.lr = static_cast<float>(lr);
    step.beta1 = 0.9f;
    step.beta2 = 0.95f;
    step.eps = 1e-8f;
    step.weight_decay = 0.1f;
    step.correction1 = static_cast<float>(c1);
    step.correction2 = static_cast<float>(c2);
    step.grad_scale = 0.5f;
    AdamWUpdate(stream, step, tg.vector(), tm.vector(), tv.vector(), tw.vector(), copy.vector());
  }
  ExpectClose(tw.Get(), w, 2e-6, "w");
  ExpectClose(tm.Get(), m, 2e-6, "m");
  ExpectClose(tv.Get(), v, 2e-6, "v");
  Doubles rounded = tw.Get();
  for (double& x : rounded) x = static_cast<double>(static_cast<float>(BF16(static_cast<float>(x))));
  EXPECT_EQ(copy.Get(), rounded);
}

}  // namespace
}  // namespace galley::ops
