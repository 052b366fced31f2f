#include "runtime/ops/swiglu.h"

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

Doubles Reference(const Doubles& gate_up, size_t f) {
  Doubles y(gate_up.size() / 2);
  for (size_t i = 0; i < y.size(); ++i) {
    double a = gate_up[i / f * 2 * f + i % f], u = gate_up[i / f * 2 * f + f + i % f];
    y[i] = a / (1 + std::exp(-a)) * u;
  }
  return y;
}

Doubles ReferenceBackward(const Doubles& gate_up, const Doubles& dy, size_t f) {
  Doubles d(gate_up.size());
  for (size_t i = 0; i < dy.size(); ++i) {
    size_t gate = i / f * 2 * f + i % f, up = gate + f;
    double a = gate_up[gate], s = 1 / (1 + std::exp(-a));
    d[gate] = dy[i] * gate_up[up] * (s + a * s * (1 - s));
    d[up] = dy[i] * a * s;
  }
  return d;
}

class SwigluTest : public OpTest {};

TEST_P(SwigluTest, AgreesWithDoubleAndItsDerivative) {
  for (auto [rows, f] : {std::array<int64_t, 2>{5, 37}, {1, 16}, {2, 3}}) {
    Doubles x = Random(rows * 2 * f, 1, 4.0), dy = Random(rows * f, 2);
    Doubles want = ReferenceBackward(x, dy, static_cast<size_t>(f));
    ExpectDerivative([&](const Doubles& v) { return Reference(v, static_cast<size_t>(f)); }, x, dy, want,
                     "dgate_up");
    Tensor t(dtype(), rows, 2 * f, x, 3), y(dtype(), rows, f, 5), d(dtype(), rows, f, dy, 5);
    SwigluForward(stream_, t.view(), y.view());
    ExpectClose(y.Get(), Reference(x, static_cast<size_t>(f)), tolerance(), "y");
    Tensor apart(dtype(), rows, 2 * f, 3);
    SwigluBackward(stream_, t.view(), d.view(), apart.view());
    ExpectClose(apart.Get(), want, tolerance(), "dgate_up");
    SwigluBackward(stream_, t.view(), d.view(), t.view());
    EXPECT_EQ(t.Get(), apart.Get()) << "in place";
  }
}

TEST_P(SwigluTest, FarValuesStayFinite) {
  Tensor t(dtype(), 1, 4, {200, -200, 1, 1}), y(dtype(), 1, 2);
  SwigluForward(stream_, t.view(), y.view());
  EXPECT_EQ(y.Get()[0], 200);
  EXPECT_NEAR(y.Get()[1], 0, 1e-30);
}

INSTANTIATE_OPS(SwigluTest);

}  // namespace
}  // namespace galley::ops
