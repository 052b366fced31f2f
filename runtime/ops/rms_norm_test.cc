#include "runtime/ops/rms_norm.h"

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

constexpr double kEps = 1e-5;

Doubles InvRms(const Doubles& x, size_t dim) {
  Doubles out(x.size() / dim);
  for (size_t r = 0; r < out.size(); ++r) {
    double squares = 0;
    for (size_t i = 0; i < dim; ++i) squares += x[r * dim + i] * x[r * dim + i];
    out[r] = 1 / std::sqrt(squares / static_cast<double>(dim) + kEps);
  }
  return out;
}

Doubles Reference(const Doubles& x, const Doubles& gain) {
  size_t dim = gain.size();
  Doubles inv = InvRms(x, dim), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * inv[i / dim] * gain[i % dim];
  return y;
}

struct Gradients {
  Doubles dx, dgain;
};

Gradients ReferenceBackward(const Doubles& x, const Doubles& gain, const Doubles& dy) {
  size_t dim = gain.size();
  Doubles inv = InvRms(x, dim);
  Gradients out{Doubles(x.size()), Doubles(dim)};
  for (size_t r = 0; r < inv.size(); ++r) {
    double mean = 0;
    for (size_t i = 0; i < dim; ++i) {
      double n = x[r * dim + i] * inv[r];
      out.dgain[i] += dy[r * dim + i] * n;
      mean += dy[r * dim + i] * gain[i] * n / static_cast<double>(dim);
    }
    for (size_t i = 0; i < dim; ++i) {
      out.dx[r * dim + i] = inv[r] * (dy[r * dim + i] * gain[i] - x[r * dim + i] * inv[r] * mean);
    }
  }
  return out;
}

class RmsNormTest : public OpTest {};

TEST_P(RmsNormTest, AgreesWithDoubleAndItsDerivative) {
  for (auto [rows, dim, gap] : {std::array<int64_t, 3>{5, 37, 3}, {1, 16, 0}, {3, 1000, 0}}) {
    Doubles x = Random(rows * dim, 1, 2.0), gain = Random(dim, 2, 0.5, 1.0), dy = Random(rows * dim, 4);
    Doubles skip = Random(rows * dim, 5);
    Gradients want = ReferenceBackward(x, gain, dy);
    ExpectDerivative([&](const Doubles& v) { return Reference(v, gain); }, x, dy, want.dx, "dx");
    ExpectDerivative([&](const Doubles& v) { return Reference(x, v); }, gain, dy, want.dgain, "dgain");

    for (DType parameter : {DType::kF32, dtype()}) {
      Tensor tx(dtype(), rows, dim, x, gap), y(dtype(), rows, dim, gap), tdy(dtype(), rows, dim, dy, gap);
      Tensor g(parameter, 1, dim, gain), inv(DType::kF32, 1, rows);
      Tensor dx(dtype(), rows, dim, gap), dg(DType::kF32, 1, dim);
      RmsNormForward(stream_, tx.view(), g.vector(), static_cast<float>(kEps), y.view(), inv.vector());
      ExpectClose(y.Get(), Reference(x, gain), tolerance(), "y");
      RmsNormBackward(stream_, tx.view(), g.vector(), inv.vector(), tdy.view(), View{}, dx.view(),
                      dg.vector());
      ExpectClose(dx.Get(), want.dx, tolerance(), "dx");
      ExpectClose(dg.Get(), want.dgain, loose(), "dgain");  // of the rounded normal values

      dx.Set(skip);
      RmsNormBackward(stream_, tx.view(), g.vector(), inv.vector(), tdy.view(), dx.view(), dx.view(),
                      dg.vector());
      Doubles sum = want.dx, twice = want.dgain;
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += skip[i];
      for (double& v : twice) v *= 2;
      ExpectClose(dx.Get(), sum, tolerance(), "dx with the skip branch");
      ExpectClose(dg.Get(), twice, loose(), "dgain, twice");
    }
  }
}

// Normalise, round, then gain: 1.00390625 lies half way between two bf16 values and rounds down to 1.
TEST(RmsNormOrder, RoundsBeforeTheGain) {
  Stream stream{CpuStream(1)};
  double other = std::sqrt(2 - 1.00390625 * 1.00390625);
  Tensor x(DType::kF32, 1, 2, {1.00390625, other}), y32(DType::kF32, 1, 2), inv(DType::kF32, 1, 1);
  Tensor gain(DType::kF32, 1, 2, {3.0, 3.0});
  RmsNormForward(stream, x.view(), gain.vector(), 0.0f, y32.view(), inv.vector());
  EXPECT_NEAR(y32.Get()[0], 3.01171875, 1e-5);
  Tensor x16(DType::kBF16, 1, 2, {129, 127}), y16(DType::kBF16, 1, 2);
  RmsNormForward(stream, x16.view(), gain.vector(), 0.0f, y16.view(), inv.vector());
  // 129 / rms = 1.00775, in bf16 1.0078125; times 3 = 3.0234375, in bf16 3.03125 (ties to even).
  EXPECT_EQ(y16.Get()[0], 3.03125);
}

INSTANTIATE_OPS(RmsNormTest);

}  // namespace
}  // namespace galley::ops
