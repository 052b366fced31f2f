#include "runtime/ops/gelu.h"

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

constexpr double kPi = 3.14159265358979323846;

Doubles Reference(Gelu kind, const Doubles& x) {
  Doubles y;
  for (double v : x) {
    double half = kind == Gelu::kErf ? std::erf(v / std::sqrt(2.0))
                                     : std::tanh(std::sqrt(2 / kPi) * (v + 0.044715 * v * v * v));
    y.push_back(0.5 * v * (1 + half));
  }
  return y;
}

Doubles ReferenceBackward(Gelu kind, const Doubles& x, const Doubles& dy) {
  Doubles d;
  for (size_t i = 0; i < x.size(); ++i) {
    double v = x[i];
    double slope;
    if (kind == Gelu::kErf) {
      slope = 0.5 * (1 + std::erf(v / std::sqrt(2.0))) + v * std::exp(-v * v / 2) / std::sqrt(2 * kPi);
    } else {
      double root = std::sqrt(2 / kPi), t = std::tanh(root * (v + 0.044715 * v * v * v));
      slope = 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * root * (1 + 3 * 0.044715 * v * v);
    }
    d.push_back(dy[i] * slope);
  }
  return d;
}

class GeluTest : public OpTest {};

TEST_P(GeluTest, AgreesWithDoubleAndItsDerivative) {
  for (Gelu kind : {Gelu::kTanh, Gelu::kErf}) {
    for (auto [rows, cols] : {std::array<int64_t, 2>{5, 37}, {1, 16}, {7, 3}}) {
      Doubles x = Random(rows * cols, 1, 2.0), dy = Random(rows * cols, 2);
      Doubles want = ReferenceBackward(kind, x, dy);
      ExpectDerivative([&](const Doubles& v) { return Reference(kind, v); }, x, dy, want, "dx");
      Tensor t(dtype(), rows, cols, x, 3), y(dtype(), rows, cols, 5), d(dtype(), rows, cols, dy, 3);
      GeluForward(stream_, kind, t.view(), y.view());
      ExpectClose(y.Get(), Reference(kind, x), tolerance(), "y");
      GeluBackward(stream_, kind, t.view(), d.view(), d.view());
      ExpectClose(d.Get(), want, tolerance(), "dx");
    }
  }
}

TEST_P(GeluTest, FarValuesStayFinite) {
  for (Gelu kind : {Gelu::kTanh, Gelu::kErf}) {
    Tensor x(dtype(), 1, 2, {1000, -1000}), y(dtype(), 1, 2), d(dtype(), 1, 2, {1, 1});
    GeluForward(stream_, kind, x.view(), y.view());
    EXPECT_EQ(y.Get(), Doubles({1000, 0}));
    GeluBackward(stream_, kind, x.view(), d.view(), d.view());
    EXPECT_EQ(d.Get(), Doubles({1, 0}));
  }
}

// The two forms are told apart: at x = -1.5 they differ by 2e-4.
TEST(GeluForms, Differ) {
  Stream stream{CpuStream(1)};
  Tensor x(DType::kF32, 1, 1, Doubles({-1.5})), t(DType::kF32, 1, 1), e(DType::kF32, 1, 1);
  GeluForward(stream, Gelu::kTanh, x.view(), t.view());
  GeluForward(stream, Gelu::kErf, x.view(), e.view());
  EXPECT_NEAR(t.Get()[0], -0.10042842, 3e-7);
  EXPECT_NEAR(e.Get()[0], -0.10021080, 3e-7);
}

INSTANTIATE_OPS(GeluTest);

}  // namespace
}  // namespace galley::ops
