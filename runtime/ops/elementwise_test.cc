#include "runtime/ops/elementwise.h"

#include <limits>

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

class ElementwiseTest : public OpTest {};

TEST_P(ElementwiseTest, Adds) {
  Doubles a = Random(5 * 37, 1), b = Random(5 * 37, 2), want = a;
  for (size_t i = 0; i < want.size(); ++i) want[i] += b[i];
  Tensor ta(dtype(), 5, 37, a, 3), tb(dtype(), 5, 37, b);
  Add(stream_, ta.view(), tb.view(), ta.view());
  ExpectClose(ta.Get(), want, tolerance(), "a + b");
}

TEST_P(ElementwiseTest, ConvertsAndZeroes) {
  Doubles x = Random(10007, 1);  // values that bf16 holds
  Tensor from(dtype(), 1, 10007, x), f(DType::kF32, 1, 10007), b(DType::kBF16, 1, 10007);
  Convert(stream_, from.vector(), f.vector());
  EXPECT_EQ(f.Get(), x);
  Convert(stream_, from.vector(), b.vector());
  EXPECT_EQ(b.Get(), x);
  Zero(stream_, from.vector());
  EXPECT_EQ(from.Get(), Doubles(10007));
}

INSTANTIATE_OPS(ElementwiseTest);

TEST(Convert, RoundsToNearestEvenAndKeepsNaN) {
  Stream stream{CpuStream(1)};
  float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  std::vector<float> from = {1.00390625f, 1.01171875f, nan,   -nan,  infinity,
                             -infinity,   3.4e38f,     -0.0f, 1e-40f};
  // Enough of them to pass through the vector loop too.
  for (int i = 0; i < 5; ++i) from.insert(from.end(), from.begin(), from.begin() + 9);
  std::vector<BF16> to(from.size());
  int64_t n = static_cast<int64_t>(from.size());
  Convert(stream, View(from.data(), DType::kF32, {n}), View(to.data(), DType::kBF16, {n}));
  for (size_t i = 0; i < from.size(); ++i) EXPECT_EQ(to[i].bits, BF16(from[i]).bits) << i;
}

TEST(SumOfSquares, IsTheSameForEveryThreadCountAndSeesNaN) {
  Doubles x = Random(100003, 1);
  Tensor t(DType::kF32, 1, 100003, x);
  double want = 0;
  for (double v : x) want += v * v;
  double first = 0;
  for (int threads : {1, 2, 3}) {
    Stream stream{CpuStream(threads)};
    double sum = 1;
    AddSumOfSquares(stream, t.vector(), View(&sum, DType::kF64, {1}));
    EXPECT_NEAR(sum, want + 1, 1e-9 * want);
    if (threads == 1) first = sum;
    EXPECT_EQ(sum, first);
  }
  Stream stream{CpuStream(2)};
  x[77777] = std::numeric_limits<double>::quiet_NaN();
  t.Set(x);
  double sum = 0;
  AddSumOfSquares(stream, t.vector(), View(&sum, DType::kF64, {1}));
  EXPECT_TRUE(std::isnan(sum));
}

TEST(Scale, Multiplies) {
  Stream stream{CpuStream(2)};
  Tensor t(DType::kF32, 1, 10007, Random(10007, 1));
  Doubles want = t.Get();
  for (double& v : want) v *= 0.25;
  Scale(stream, 0.25f, t.vector());
  EXPECT_EQ(t.Get(), want);
}

}  // namespace
}  // namespace galley::ops
