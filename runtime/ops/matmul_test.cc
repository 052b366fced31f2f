#include "runtime/ops/matmul.h"

#include "runtime/ops/gemm.h"
#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

struct Sizes {
  int64_t rows, in, out, gap;
};

// Multiples of nothing, one row, one column, and more than one block of every kind.
constexpr Sizes kSizes[] = {{7, 13, 5, 3},      {1, 37, 19, 0},    {33, 1, 1, 2},
                            {130, 300, 270, 5}, {64, 128, 96, 16}, {257, 48, 1030, 0}};

Doubles Product(const Doubles& a, bool ta, const Doubles& b, bool tb, int64_t m, int64_t n, int64_t k) {
  Doubles c(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum += a[static_cast<size_t>(ta ? p * m + i : i * k + p)] *
               b[static_cast<size_t>(tb ? j * k + p : p * n + j)];
      }
      c[static_cast<size_t>(i * n + j)] = sum;
    }
  }
  return c;
}

Doubles Forward(const Doubles& x, const Doubles& w, const Doubles& bias, const Sizes& s) {
  Doubles y = Product(x, false, w, true, s.rows, s.out, s.in);
  for (size_t i = 0; i < y.size(); ++i) y[i] += bias[i % static_cast<size_t>(s.out)];
  return y;
}

Doubles ColumnSums(const Doubles& dy, const Sizes& s) {
  Doubles sums(static_cast<size_t>(s.out));
  for (size_t i = 0; i < dy.size(); ++i) sums[i % sums.size()] += dy[i];
  return sums;
}

class MatmulTest : public OpTest {};

TEST_P(MatmulTest, ForwardAgreesWithDouble) {
  for (const Sizes& s : kSizes) {
    Doubles x = Random(s.rows * s.in, 1), w = Random(s.out * s.in, 2), b = Random(s.out, 3);
    Tensor tx(dtype(), s.rows, s.in, x, s.gap), tw(dtype(), s.out, s.in, w);
    Tensor tb(dtype(), 1, s.out, b), fb(DType::kF32, 1, s.out, b);
    Tensor y(dtype(), s.rows, s.out, s.gap);
    MatmulForward(stream_, tx.view(), tw.view(), tb.vector(), y.view());
    ExpectClose(y.Get(), Forward(x, w, b, s), tolerance(), "y");
    MatmulForward(stream_, tx.view(), tw.view(), fb.vector(), y.view());
    ExpectClose(y.Get(), Forward(x, w, b, s), tolerance(), "y with an f32 bias");
    MatmulForward(stream_, tx.view(), tw.view(), View{}, y.view());
    ExpectClose(y.Get(), Product(x, false, w, true, s.rows, s.out, s.in), tolerance(), "y without bias");
  }
}

TEST_P(MatmulTest, BackwardIsTheDerivative) {
  for (const Sizes& s : kSizes) {
    Doubles x = Random(s.rows * s.in, 1), w = Random(s.out * s.in, 2), b = Random(s.out, 3);
    Doubles dy = Random(s.rows * s.out, 4);
    Doubles dx = Product(dy, false, w, false, s.rows, s.in, s.out);
    Doubles dw = Product(dy, true, x, false, s.out, s.in, s.rows);
    Doubles db = ColumnSums(dy, s);
    if (s.rows * s.in * s.out < 10000) {
      ExpectDerivative([&](const Doubles& v) { return Forward(v, w, b, s); }, x, dy, dx, "dx");
      ExpectDerivative([&](const Doubles& v) { return Forward(x, v, b, s); }, w, dy, dw, "dw");
      ExpectDerivative([&](const Doubles& v) { return Forward(x, w, v, s); }, b, dy, db, "dbias");
    }
    Tensor tx(dtype(), s.rows, s.in, x, s.gap), tw(dtype(), s.out, s.in, w);
    Tensor tdy(dtype(), s.rows, s.out, dy, s.gap), tdx(dtype(), s.rows, s.in, s.gap);
    Tensor tdw(DType::kF32, s.out, s.in), tdb(DType::kF32, 1, s.out);
    MatmulBackwardInput(stream_, tdy.view(), tw.view(), tdx.view());
    ExpectClose(tdx.Get(), dx, tolerance(), "dx");
    // Twice, since parameters' gradients gather.
    for (int pass = 0; pass < 2; ++pass) {
      MatmulBackwardWeight(stream_, tx.view(), tdy.view(), tdw.view(), tdb.vector());
    }
    for (double& v : dw) v *= 2;
    for (double& v : db) v *= 2;
    ExpectClose(tdw.Get(), dw, exact(), "dw");
    ExpectClose(tdb.Get(), db, exact(), "dbias");
  }
}

// The product of ours, whichever one the ops chose on this machine.
TEST_P(MatmulTest, BlockedGemmAgreesWithDouble) {
  CpuStream stream(2);
  for (const Sizes& s : kSizes) {
    Doubles a = Random(s.rows * s.in, 1), b = Random(s.out * s.in, 2), bias = Random(s.out, 3);
    for (bool ta : {false, true}) {
      for (bool tb : {false, true}) {
        Tensor left(dtype(), ta ? s.in : s.rows, ta ? s.rows : s.in, a, s.gap);
        Tensor right(dtype(), tb ? s.out : s.in, tb ? s.in : s.out, b, s.gap);
        View l = ta ? Transposed(left.view()) : left.view();
        View r = tb ? Transposed(right.view()) : right.view();
        Doubles want = Product(a, ta, b, tb, s.rows, s.out, s.in);
        Tensor c(dtype(), s.rows, s.out, s.gap), sum(DType::kF32, s.rows, s.out);
        BlockedGemm(stream, l, r, View{}, false, c.view());
        ExpectClose(c.Get(), want, tolerance(), "c");
        BlockedGemm(stream, l, r, View{}, true, sum.view());
        BlockedGemm(stream, l, r, View{}, true, sum.view());
        for (double& v : want) v *= 2;
        ExpectClose(sum.Get(), want, exact(), "c added to");
        Tensor tbias(dtype(), 1, s.out, bias);
        BlockedGemm(stream, l, r, tbias.vector(), false, c.view());
        for (size_t i = 0; i < want.size(); ++i) want[i] = want[i] / 2 + bias[i % bias.size()];
        ExpectClose(c.Get(), want, tolerance(), "c with bias");
      }
    }
  }
}

TEST_P(MatmulTest, EqualRunsGiveEqualBits) {
  Sizes s{130, 300, 270, 0};
  Tensor x(dtype(), s.rows, s.in, Random(s.rows * s.in, 1)),
      dy(dtype(), s.rows, s.out, Random(s.rows * s.out, 2));
  std::string first;
  for (int run = 0; run < 5; ++run) {
    Stream fresh{CpuStream(2)};
    Tensor dw(DType::kF32, s.out, s.in), db(DType::kF32, 1, s.out);
    MatmulBackwardWeight(fresh, x.view(), dy.view(), dw.view(), db.vector());
    std::string bits = dw.Bits() + db.Bits();
    if (run == 0) first = bits;
    EXPECT_TRUE(bits == first);
  }
}

INSTANTIATE_OPS(MatmulTest);

}  // namespace
}  // namespace galley::ops
