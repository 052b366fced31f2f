#include "runtime/ops/attention.h"

#include <algorithm>
#include <limits>

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

int64_t First(const AttentionShape& s, int64_t b, int64_t t, const Doubles& starts) {
  return starts.empty() ? 0 : static_cast<int64_t>(starts[static_cast<size_t>(b * s.sequence + t)]);
}

// One past the last row that row t attends to.
int64_t End(const AttentionShape& s, int64_t b, int64_t t, const Doubles& starts) {
  if (s.causal) return t + 1;
  int64_t end = t + 1;
  while (end < s.sequence && First(s, b, end, starts) == First(s, b, t, starts)) ++end;
  return end;
}

struct Result {
  Doubles y, log_sum, weights;  // weights: (sample, head, row, column)
};

struct At {
  AttentionShape s;
  size_t q(int64_t b, int64_t t, int64_t h, int64_t i) const { return Index(b, t, h, i); }
  size_t k(int64_t b, int64_t t, int64_t h, int64_t i) const {
    return Index(b, t, s.heads + h / (s.heads / s.kv_heads), i);
  }
  size_t v(int64_t b, int64_t t, int64_t h, int64_t i) const {
    return Index(b, t, s.heads + s.kv_heads + h / (s.heads / s.kv_heads), i);
  }
  size_t y(int64_t b, int64_t t, int64_t h, int64_t i) const {
    return static_cast<size_t>(((b * s.sequence + t) * s.heads + h) * s.head_dim + i);
  }
  size_t w(int64_t b, int64_t h, int64_t t, int64_t u) const {
    return static_cast<size_t>(((b * s.heads + h) * s.sequence + t) * s.sequence + u);
  }
  size_t Index(int64_t b, int64_t t, int64_t head, int64_t i) const {
    return static_cast<size_t>(((b * s.sequence + t) * (s.heads + 2 * s.kv_heads) + head) * s.head_dim + i);
  }
};

// starts: of every row, as the op's; empty: none.
Result Reference(const AttentionShape& s, int64_t samples, const Doubles& x, const Doubles& starts = {}) {
  At at{s};
  Result out{Doubles(static_cast<size_t>(samples * s.sequence * s.heads * s.head_dim)), {}, {}};
  out.log_sum.resize(static_cast<size_t>(samples * s.sequence * s.heads));
  out.weights.resize(static_cast<size_t>(samples * s.heads * s.sequence * s.sequence));
  for (int64_t b = 0; b < samples; ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t t = 0; t < s.sequence; ++t) {
        const int64_t first = First(s, b, t, starts), end = End(s, b, t, starts);
        Doubles scores(static_cast<size_t>(first), -std::numeric_limits<double>::infinity());
        double total = 0;
        for (int64_t u = first; u < end; ++u) {
          double score = 0;
          for (int64_t i = 0; i < s.head_dim; ++i) score += x[at.q(b, t, h, i)] * x[at.k(b, u, h, i)];
          scores.push_back(score / std::sqrt(static_cast<double>(s.head_dim)));
        }
        double top = *std::max_element(scores.begin(), scores.end());
        for (int64_t u = 0; u < end; ++u) {
          out.weights[at.w(b, h, t, u)] = std::exp(scores[static_cast<size_t>(u)] - top);
          total += out.weights[at.w(b, h, t, u)];
        }
        out.log_sum[static_cast<size_t>((b * s.sequence + t) * s.heads + h)] = std::log(total) + top;
        for (int64_t u = 0; u < end; ++u) {
          out.weights[at.w(b, h, t, u)] /= total;
          for (int64_t i = 0; i < s.head_dim; ++i) {
            out.y[at.y(b, t, h, i)] += out.weights[at.w(b, h, t, u)] * x[at.v(b, u, h, i)];
          }
        }
      }
    }
  }
  return out;
}

Doubles ReferenceBackward(const AttentionShape& s, int64_t samples, const Doubles& x, const Doubles& dy,
                          const Doubles& starts = {}) {
  At at{s};
  Result f = Reference(s, samples, x, starts);
  Doubles dx(x.size());
  double scale = 1 / std::sqrt(static_cast<double>(s.head_dim));
  for (int64_t b = 0; b < samples; ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t t = 0; t < s.sequence; ++t) {
        const int64_t end = End(s, b, t, starts);
        Doubles dw(static_cast<size_t>(end));
        double mean = 0;
        for (int64_t u = 0; u < end; ++u) {
          double w = f.weights[at.w(b, h, t, u)];
          for (int64_t i = 0; i < s.head_dim; ++i) {
            dw[static_cast<size_t>(u)] += dy[at.y(b, t, h, i)] * x[at.v(b, u, h, i)];
            dx[at.v(b, u, h, i)] += w * dy[at.y(b, t, h, i)];
          }
          mean += w * dw[static_cast<size_t>(u)];
        }
        for (int64_t u = 0; u < end; ++u) {
          double ds = f.weights[at.w(b, h, t, u)] * (dw[static_cast<size_t>(u)] - mean) * scale;
          for (int64_t i = 0; i < s.head_dim; ++i) {
            dx[at.q(b, t, h, i)] += ds * x[at.k(b, u, h, i)];
            dx[at.k(b, u, h, i)] += ds * x[at.q(b, t, h, i)];
          }
        }
      }
    }
  }
  return dx;
}

struct Case {
  AttentionShape shape;
  int64_t samples;
};

// One row, less than a tile, more than a tile, exactly two tiles; grouped heads; odd head sizes.
const Case kCases[] = {{{1, 1, 8, 1}, 1},
                       {{4, 2, 10, 7}, 2},
                       {{3, 3, 16, 65}, 1},
                       {{4, 1, 24, 128}, 1},
                       {{6, 2, 33, 130}, 2},
                       {{1, 1, 8, 1, /*causal=*/false}, 1},
                       {{4, 2, 10, 7, /*causal=*/false}, 2},
                       {{3, 3, 16, 65, /*causal=*/false}, 1},
                       {{6, 2, 33, 130, /*causal=*/false}, 2}};

class AttentionTest : public OpTest {};

TEST_P(AttentionTest, AgreesWithDoubleAndItsDerivative) {
  for (const Case& c : kCases) {
    const AttentionShape& s = c.shape;
    int64_t rows = c.samples * s.sequence, cols = (s.heads + 2 * s.kv_heads) * s.head_dim;
    int64_t out = s.heads * s.head_dim;
    Doubles x = Random(rows * cols, 1), dy = Random(rows * out, 2);
    Result want = Reference(s, c.samples, x);
    Doubles dx = ReferenceBackward(s, c.samples, x, dy);
    if (s.sequence <= 65) {
      ExpectDerivative([&](const Doubles& v) { return Reference(s, c.samples, v).y; }, x, dy, dx, "dqkv");
    }
    Tensor qkv(dtype(), rows, cols, x, 3), y(dtype(), rows, out, 1), logs(DType::kF32, rows, s.heads);
    Tensor tdy(dtype(), rows, out, dy, 1), dqkv(dtype(), rows, cols, 3);
    AttentionForward(stream_, s, qkv.view(), View{}, y.view(), logs.view());
    ExpectClose(y.Get(), want.y, tolerance(), "y");
    ExpectClose(logs.Get(), want.log_sum, exact(), "log_sum");
    AttentionBackward(stream_, s, qkv.view(), View{}, y.view(), logs.view(), tdy.view(), dqkv.view());
    // The softmax gradient subtracts dy . y, and bf16 has rounded that y.
    ExpectClose(dqkv.Get(), dx, dtype() == DType::kF32 ? loose() : 3e-2, "dqkv");
  }
}

// Documents that begin in the middle of a tile, at its border, one row long, and one over several tiles.
TEST_P(AttentionTest, SeesNothingOfOtherDocuments) {
  const AttentionShape shapes[] = {{2, 1, 10, 9},
                                   {2, 2, 16, 65},
                                   {4, 2, 24, 200},
                                   {2, 1, 10, 9, /*causal=*/false},
                                   {4, 2, 24, 200, /*causal=*/false}};
  for (const AttentionShape& s : shapes) {
    const int64_t samples = 2, rows = samples * s.sequence, cols = (s.heads + 2 * s.kv_heads) * s.head_dim;
    const int64_t out = s.heads * s.head_dim;
    Doubles starts;
    for (int64_t b = 0; b < samples; ++b) {
      int64_t first = 0;
      for (int64_t t = 0; t < s.sequence; ++t) {
        for (int64_t border :
             b == 0 ? std::vector<int64_t>{1, 5, 64, 130} : std::vector<int64_t>{7, 8, 60, 199}) {
          if (t == border) first = t;
        }
        starts.push_back(static_cast<double>(first));
      }
    }
    Doubles x = Random(rows * cols, 1), dy = Random(rows * out, 2);
    Result want = Reference(s, samples, x, starts);
    Doubles dx = ReferenceBackward(s, samples, x, dy, starts);
    if (s.sequence <= 9) {
      ExpectDerivative([&](const Doubles& v) { return Reference(s, samples, v, starts).y; }, x, dy, dx,
                       "dqkv");
    }
    Tensor qkv(dtype(), rows, cols, x), y(dtype(), rows, out), logs(DType::kF32, rows, s.heads);
    Tensor tdy(dtype(), rows, out, dy), dqkv(dtype(), rows, cols), first(DType::kI32, 1, rows, starts);
    AttentionForward(stream_, s, qkv.view(), first.vector(), y.view(), logs.view());
    ExpectClose(y.Get(), want.y, tolerance(), "y");
    ExpectClose(logs.Get(), want.log_sum, exact(), "log_sum");
    AttentionBackward(stream_, s, qkv.view(), first.vector(), y.view(), logs.view(), tdy.view(), dqkv.view());
    ExpectClose(dqkv.Get(), dx, dtype() == DType::kF32 ? loose() : 3e-2, "dqkv");
  }
}

// Scores in the hundreds: the exponentials must be taken relative to the maximum.
TEST_P(AttentionTest, LargeScoresStayFinite) {
  AttentionShape s{2, 1, 16, 70};
  int64_t cols = 4 * 16;
  Doubles x = Random(70 * cols, 1, 20.0);
  Tensor qkv(dtype(), 70, cols, x), y(dtype(), 70, 32), logs(DType::kF32, 70, 2);
  AttentionForward(stream_, s, qkv.view(), View{}, y.view(), logs.view());
  ExpectClose(y.Get(), Reference(s, 1, x).y, dtype() == DType::kF32 ? 1e-3 : 1e-2, "y");
}

// A row's result must not see later rows at all.
TEST_P(AttentionTest, IsCausal) {
  AttentionShape s{2, 2, 16, 90};
  int64_t cols = 6 * 16;
  Doubles x = Random(90 * cols, 1);
  Tensor qkv(dtype(), 90, cols, x), y(dtype(), 90, 32), logs(DType::kF32, 90, 2);
  AttentionForward(stream_, s, qkv.view(), View{}, y.view(), logs.view());
  Doubles before = y.Get();
  for (size_t i = static_cast<size_t>(50 * cols); i < x.size(); ++i) x[i] = -3 * x[i];
  qkv.Set(x);
  AttentionForward(stream_, s, qkv.view(), View{}, y.view(), logs.view());
  Doubles after = y.Get();
  for (size_t i = 0; i < 50 * 32; ++i) ASSERT_EQ(before[i], after[i]) << i;
}

TEST_P(AttentionTest, EqualRunsGiveEqualBits) {
  AttentionShape s{6, 2, 33, 130};
  int64_t rows = 260, cols = 10 * 33;
  Tensor qkv(dtype(), rows, cols, Random(rows * cols, 1)), dy(dtype(), rows, 198, Random(rows * 198, 2));
  std::string first;
  for (int threads : {1, 2, 3, 2}) {
    Stream stream{CpuStream(threads)};
    Tensor y(dtype(), rows, 198), logs(DType::kF32, rows, 6), dqkv(dtype(), rows, cols);
    AttentionForward(stream, s, qkv.view(), View{}, y.view(), logs.view());
    AttentionBackward(stream, s, qkv.view(), View{}, y.view(), logs.view(), dy.view(), dqkv.view());
    std::string bits = y.Bits() + logs.Bits() + dqkv.Bits();
    if (first.empty()) first = bits;
    EXPECT_TRUE(bits == first) << threads << " threads";
  }
}

INSTANTIATE_OPS(AttentionTest);

}  // namespace
}  // namespace galley::ops
