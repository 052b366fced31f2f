#include "runtime/ops/embedding.h"

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

constexpr int64_t kVocab = 11, kContext = 6, kSequence = 4, kRows = 12;

Doubles Tokens() { return {0, 3, 3, 10, 3, 1, 0, 0, 5, 3, 10, 9}; }

Doubles Reference(const Doubles& table, const Doubles& position_table, int64_t dim) {
  Doubles y;
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t i = 0; i < dim; ++i) {
      double token = table[static_cast<size_t>(Tokens()[static_cast<size_t>(r)]) * static_cast<size_t>(dim) +
                           static_cast<size_t>(i)];
      double position =
          position_table.empty() ? 0 : position_table[static_cast<size_t>(r % kSequence * dim + i)];
      y.push_back(token + position);
    }
  }
  return y;
}

class EmbeddingTest : public OpTest {};

TEST_P(EmbeddingTest, AgreesWithDoubleAndItsDerivative) {
  for (int64_t dim : {37, 16, 1}) {
    Doubles table = Random(kVocab * dim, 1), position_table = Random(kContext * dim, 2);
    Doubles dy = Random(kRows * dim, 3);
    Doubles dtable(table.size()), dposition_table(position_table.size());
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t i = 0; i < dim; ++i) {
        double d = dy[static_cast<size_t>(r * dim + i)];
        dtable[static_cast<size_t>(Tokens()[static_cast<size_t>(r)]) * static_cast<size_t>(dim) +
               static_cast<size_t>(i)] += d;
        dposition_table[static_cast<size_t>(r % kSequence * dim + i)] += d;
      }
    }
    ExpectDerivative([&](const Doubles& v) { return Reference(v, position_table, dim); }, table, dy, dtable,
                     "dtable");
    ExpectDerivative([&](const Doubles& v) { return Reference(table, v, dim); }, position_table, dy,
                     dposition_table, "dposition_table");

    Tensor tokens(DType::kI32, 1, kRows, Tokens()), t(dtype(), kVocab, dim, table);
    Tensor p(dtype(), kContext, dim, position_table), y(dtype(), kRows, dim, 3),
        tdy(dtype(), kRows, dim, dy, 3);
    EmbeddingForward(stream_, tokens.vector(), t.view(), p.view(), View{}, kSequence, y.view());
    ExpectClose(y.Get(), Reference(table, position_table, dim), tolerance(), "y");
    EmbeddingForward(stream_, tokens.vector(), t.view(), View{}, View{}, kSequence, y.view());
    EXPECT_EQ(y.Get(), Reference(table, {}, dim));

    Tensor dt(DType::kF32, kVocab, dim), dp(DType::kF32, kContext, dim), only(DType::kF32, kVocab, dim);
    EmbeddingBackward(stream_, tokens.vector(), tdy.view(), View{}, kSequence, dt.view(), dp.view());
    ExpectClose(dt.Get(), dtable, exact(), "dtable");
    ExpectClose(dp.Get(), dposition_table, exact(), "dposition_table");
    EmbeddingBackward(stream_, tokens.vector(), tdy.view(), View{}, kSequence, only.view(), View{});
    EXPECT_TRUE(only.Bits() == dt.Bits());

    // One order of summation whatever the thread count.
    Stream three{CpuStream(3)};
    Tensor other(DType::kF32, kVocab, dim);
    EmbeddingBackward(three, tokens.vector(), tdy.view(), View{}, kSequence, other.view(), View{});
    EXPECT_TRUE(other.Bits() == dt.Bits());
  }
}

// Every row has a position of its own, which names a row of the position table.
TEST_P(EmbeddingTest, GivenPositions) {
  constexpr int64_t kDim = 37;
  const Doubles at = {0, 1, 2, 3, 0, 1, 0, 0, 5, 4, 1, 2};
  Doubles table = Random(kVocab * kDim, 1), position_table = Random(kContext * kDim, 2),
          dy = Random(kRows * kDim, 3);
  Doubles want = Reference(table, {}, kDim), dposition_table(position_table.size());
  for (size_t i = 0; i < want.size(); ++i) {
    const size_t position = static_cast<size_t>(at[i / kDim]) * kDim + i % kDim;
    want[i] += position_table[position];
    dposition_table[position] += dy[i];
  }
  Tensor tokens(DType::kI32, 1, kRows, Tokens()), positions(DType::kI32, 1, kRows, at);
  Tensor t(dtype(), kVocab, kDim, table), p(dtype(), kContext, kDim, position_table), y(dtype(), kRows, kDim);
  EmbeddingForward(stream_, tokens.vector(), t.view(), p.view(), positions.vector(), kSequence, y.view());
  ExpectClose(y.Get(), want, tolerance(), "y");
  Tensor tdy(dtype(), kRows, kDim, dy), dt(DType::kF32, kVocab, kDim), dp(DType::kF32, kContext, kDim);
  EmbeddingBackward(stream_, tokens.vector(), tdy.view(), positions.vector(), kSequence, dt.view(),
                    dp.view());
  ExpectClose(dp.Get(), dposition_table, dtype() == DType::kF32 ? exact() : 2e-2, "dposition_table");
}

TEST(EmbeddingDeathTest, TokenOutsideTheTable) {
  Stream stream{CpuStream(1)};
  Tensor tokens(DType::kI32, 1, 1, Doubles({4})), table(DType::kF32, 4, 2), y(DType::kF32, 1, 2);
  EXPECT_DEATH(EmbeddingForward(stream, tokens.vector(), table.view(), View{}, View{}, 1, y.view()),
               "CHECK failed");
}

INSTANTIATE_OPS(EmbeddingTest);

}  // namespace
}  // namespace galley::ops
