#include "runtime/ops/cross_entropy.h"

#include <limits>

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

struct Sizes {
  int64_t rows, dim, vocab, padded;
};

struct Result {
  double loss = 0;
  Doubles dx, dw;
};

Result Reference(const Sizes& s, const Doubles& x, const Doubles& w, const Doubles& labels, double scale) {
  Result out{0, Doubles(x.size()), Doubles(w.size())};
  for (int64_t r = 0; r < s.rows; ++r) {
    auto label = static_cast<int64_t>(labels[static_cast<size_t>(r)]);
    if (label < 0) continue;
    Doubles e(static_cast<size_t>(s.vocab));
    double total = 0;
    for (int64_t v = 0; v < s.vocab; ++v) {
      double logit = 0;
      for (int64_t i = 0; i < s.dim; ++i) {
        logit += x[static_cast<size_t>(r * s.dim + i)] * w[static_cast<size_t>(v * s.dim + i)];
      }
      e[static_cast<size_t>(v)] = std::exp(logit);
      total += e[static_cast<size_t>(v)];
    }
    out.loss += std::log(total) - std::log(e[static_cast<size_t>(label)]);
    for (int64_t v = 0; v < s.vocab; ++v) {
      double d = scale * (e[static_cast<size_t>(v)] / total - (v == label ? 1 : 0));
      for (int64_t i = 0; i < s.dim; ++i) {
        out.dx[static_cast<size_t>(r * s.dim + i)] += d * w[static_cast<size_t>(v * s.dim + i)];
        out.dw[static_cast<size_t>(v * s.dim + i)] += d * x[static_cast<size_t>(r * s.dim + i)];
      }
    }
  }
  return out;
}

class CrossEntropyTest : public OpTest {};

TEST_P(CrossEntropyTest, AgreesWithDoubleAndItsDerivative) {
  // The last one has logits for more than one chunk.
  for (const Sizes& s : {Sizes{5, 13, 37, 40}, Sizes{1, 16, 16, 16}, Sizes{150, 3, 200000, 200064}}) {
    Doubles x = Random(s.rows * s.dim, 1), w = Random(s.padded * s.dim, 2, 0.5);
    Doubles labels;
    for (int64_t r = 0; r < s.rows; ++r) labels.push_back(static_cast<double>(r * 7919 % s.vocab));
    int64_t count = s.rows;
    if (s.rows > 2) {
      labels[2] = -1;
      --count;
    }
    constexpr double kScale = 0.25;
    Result want = Reference(s, x, w, labels, kScale);
    if (s.vocab < 100) {
      auto loss = [&](const Doubles& vx, const Doubles& vw) {
        return Doubles{Reference(s, vx, vw, labels, 1).loss};
      };
      ExpectDerivative([&](const Doubles& v) { return loss(v, w); }, x, {kScale}, want.dx, "dx");
      ExpectDerivative([&](const Doubles& v) { return loss(x, v); }, w, {kScale}, want.dw, "dw");
    }
    Tensor tx(dtype(), s.rows, s.dim, x, 3), tw(dtype(), s.padded, s.dim, w);
    Tensor tl(DType::kI32, 1, s.rows, labels);
    Tensor loss(DType::kF64, 1, 2, {1, 2}), dx(dtype(), s.rows, s.dim, 3), dw(DType::kF32, s.padded, s.dim);
    CrossEntropyForward(stream_, tx.view(), tw.view(), tl.vector(), s.vocab, loss.vector());
    EXPECT_NEAR(loss.Get()[0] - 1, want.loss, 1e-6 * want.loss);
    EXPECT_EQ(loss.Get()[1], 2 + static_cast<double>(count));
    // Losses add to what is there, as dw does.
    for (int pass = 1; pass <= 2; ++pass) {
      CrossEntropyForwardBackward(stream_, tx.view(), tw.view(), tl.vector(), s.vocab,
                                  static_cast<float>(kScale), loss.vector(), dx.view(), dw.view());
      EXPECT_NEAR(loss.Get()[0] - 1, (pass + 1) * want.loss, 2e-6 * want.loss);
    }
    ExpectClose(dx.Get(), want.dx, loose(), "dx");
    for (double& v : want.dw) v *= 2;
    ExpectClose(dw.Get(), want.dw, loose(), "dw");
    if (s.rows > 2) {
      for (int64_t i = 0; i < s.dim; ++i) EXPECT_EQ(dx.Get()[static_cast<size_t>(2 * s.dim + i)], 0);
    }
    Doubles padding = dw.Get();
    padding.erase(padding.begin(), padding.begin() + s.vocab * s.dim);
    EXPECT_EQ(padding, Doubles(padding.size())) << "padded rows must get no gradient";
  }
}

TEST_P(CrossEntropyTest, NaNReachesTheLoss) {
  Doubles x = Random(4 * 8, 1);
  x[9] = std::numeric_limits<double>::quiet_NaN();
  Tensor tx(dtype(), 4, 8, x), tw(dtype(), 16, 8, Random(16 * 8, 2)), labels(DType::kI32, 1, 4, {1, 2, 3, 4});
  Tensor loss(DType::kF64, 1, 2);
  CrossEntropyForward(stream_, tx.view(), tw.view(), labels.vector(), 16, loss.vector());
  EXPECT_TRUE(std::isnan(loss.Get()[0]));
}

INSTANTIATE_OPS(CrossEntropyTest);

}  // namespace
}  // namespace galley::ops
