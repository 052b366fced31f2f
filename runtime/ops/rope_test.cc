#include "runtime/ops/rope.h"

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

constexpr int64_t kHeads = 3, kHeadDim = 10, kCols = 47, kSequence = 5, kRows = 10;
constexpr double kBase = 10000;

Doubles Reference(const Doubles& x, double sign = 1) {
  Doubles y = x;
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t h = 0; h < kHeads; ++h) {
      for (int64_t i = 0; i < kHeadDim / 2; ++i) {
        double angle = static_cast<double>(r % kSequence) *
                       std::pow(kBase, -2.0 * static_cast<double>(i) / static_cast<double>(kHeadDim));
        auto a = static_cast<size_t>(r * kCols + h * kHeadDim + i), b = a + kHeadDim / 2;
        y[a] = x[a] * std::cos(angle) - sign * x[b] * std::sin(angle);
        y[b] = x[b] * std::cos(angle) + sign * x[a] * std::sin(angle);
      }
    }
  }
  return y;
}

class RopeTest : public OpTest {};

TEST_P(RopeTest, AgreesWithDoubleAndItsDerivative) {
  Tensor table(DType::kF32, kSequence + 3, kHeadDim);
  FillRopeTable(kBase, table.view());
  Doubles x = Random(kRows * kCols, 1), dy = Random(kRows * kCols, 2);
  ExpectDerivative([](const Doubles& v) { return Reference(v); }, x, dy, Reference(dy, -1), "dx");
  Tensor t(dtype(), kRows, kCols, x, 1), d(dtype(), kRows, kCols, dy, 1);
  RopeForward(stream_, table.view(), kHeads, View{}, kSequence, t.view());
  ExpectClose(t.Get(), Reference(x), tolerance(), "y");
  RopeBackward(stream_, table.view(), kHeads, View{}, kSequence, d.view());
  ExpectClose(d.Get(), Reference(dy, -1), tolerance(), "dx");
}

// A row with a position of its own is rotated as the row at that position of a sample.
TEST_P(RopeTest, GivenPositions) {
  Tensor table(DType::kF32, kSequence + 3, kHeadDim),
      positions(DType::kI32, 1, kRows, Doubles({0, 1, 2, 0, 1, 7, 6, 0, 0, 1}));
  FillRopeTable(kBase, table.view());
  const Doubles row = Random(kCols, 1);
  Doubles same;
  for (int64_t r = 0; r < kRows; ++r) same.insert(same.end(), row.begin(), row.end());
  Tensor t(dtype(), kRows, kCols, same),
      whole(dtype(), 8, kCols, Doubles(same.begin(), same.begin() + 8 * kCols));
  RopeForward(stream_, table.view(), kHeads, positions.vector(), kSequence, t.view());
  RopeForward(stream_, table.view(), kHeads, View{}, 8, whole.view());
  const Doubles got = t.Get(), want = whole.Get();
  const Doubles at = positions.Get();
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t c = 0; c < kCols; ++c) {
      EXPECT_EQ(got[static_cast<size_t>(r * kCols + c)],
                want[static_cast<size_t>(static_cast<int64_t>(at[static_cast<size_t>(r)]) * kCols + c)]);
    }
  }
  RopeBackward(stream_, table.view(), kHeads, positions.vector(), kSequence, t.view());
  ExpectClose(t.Get(), same, dtype() == DType::kF32 ? tolerance() : 2e-2, "back");
}

TEST(RopeDeathTest, PositionOutsideTheTable) {
  Stream stream{CpuStream(1)};
  Tensor table(DType::kF32, 4, 2), positions(DType::kI32, 1, 1, Doubles({4})), x(DType::kF32, 1, 2);
  EXPECT_DEATH(RopeForward(stream, table.view(), 1, positions.vector(), 1, x.view()), "CHECK failed");
}

INSTANTIATE_OPS(RopeTest);

}  // namespace
}  // namespace galley::ops
