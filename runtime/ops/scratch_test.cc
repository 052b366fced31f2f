// What an op takes from Scratch is what the plan counts for it.
#include "runtime/ops/scratch.h"

#include "runtime/ops/cross_entropy.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/layer_norm.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_test.h"
#include "runtime/ops/rms_norm.h"

namespace galley::ops {
namespace {

class ScratchTest : public OpTest {
 protected:
  // The most that `op` takes on a fresh stream of `threads`.
  template <class Op>
  static int64_t Peak(int threads, Op&& op) {
    Stream stream = MakeStream(Device(), threads);
    op(stream);
    return std::get<CpuStream>(stream).scratch().peak();
  }
};

TEST_P(ScratchTest, OfAttention) {
  const AttentionShape s{6, 2, 33, 130};
  Tensor qkv(dtype(), 260, 330), y(dtype(), 260, 198), logs(DType::kF32, 260, 6);
  Tensor dy(dtype(), 260, 198), dqkv(dtype(), 260, 330);
  for (int threads : {1, 2, 3}) {
    EXPECT_EQ(Peak(threads,
                   [&](Stream& stream) {
                     AttentionForward(stream, s, qkv.view(), View{}, y.view(), logs.view());
                     AttentionBackward(stream, s, qkv.view(), View{}, y.view(), logs.view(), dy.view(),
                                       dqkv.view());
                   }),
              AttentionScratch(s, threads));
  }
}

TEST_P(ScratchTest, OfNorms) {
  Tensor x(dtype(), 70, 50), y(dtype(), 70, 50), dx(dtype(), 70, 50);
  Tensor gain(DType::kF32, 1, 50), inv(DType::kF32, 1, 70), mean(DType::kF32, 1, 70);
  Tensor dgain(DType::kF32, 1, 50), dbias(DType::kF32, 1, 50);
  for (int threads : {1, 2, 3}) {
    EXPECT_EQ(Peak(threads,
                   [&](Stream& stream) {
                     RmsNormBackward(stream, x.view(), gain.vector(), inv.vector(), y.view(), View{},
                                     dx.view(), dgain.vector());
                   }),
              NormScratch(50, false, threads));
    EXPECT_EQ(Peak(threads,
                   [&](Stream& stream) {
                     LayerNormBackward(stream, x.view(), gain.vector(), mean.vector(), inv.vector(), y.view(),
                                       View{}, dx.view(), dgain.vector(), dbias.vector());
                   }),
              NormScratch(50, true, threads));
  }
}

TEST_P(ScratchTest, OfProductsIsAtMostTheirShare) {
  Tensor x(dtype(), 130, 300), w(dtype(), 270, 300), y(dtype(), 130, 270), dw(DType::kF32, 270, 300);
  for (int threads : {1, 2, 3}) {
    const int64_t peak = Peak(threads, [&](Stream& stream) {
      MatmulForward(stream, x.view(), w.view(), View{}, y.view());
      MatmulBackwardInput(stream, y.view(), w.view(), x.view());
      MatmulBackwardWeight(stream, x.view(), y.view(), dw.view(), View{});
    });
    EXPECT_GT(peak, 0);
    EXPECT_LE(peak, MatmulScratch(threads));
  }
}

TEST_P(ScratchTest, OfCrossEntropyIsItsChunkAndAProduct) {
  constexpr int64_t kRows = 77, kVocab = 130;
  Tensor x(dtype(), kRows, 32), w(dtype(), kVocab, 32), dx(dtype(), kRows, 32), dw(DType::kF32, kVocab, 32);
  Tensor labels(DType::kI32, 1, kRows);
  double sums[2] = {};
  for (int threads : {1, 2, 3}) {
    const int64_t peak = Peak(threads, [&](Stream& stream) {
      CrossEntropyForwardBackward(stream, x.view(), w.view(), labels.vector(), kVocab, 1.0F,
                                  View(sums, DType::kF64, {2}), dx.view(), dw.view());
    });
    const int64_t counted = CrossEntropyScratch(kRows, kVocab, dtype(), threads);
    EXPECT_LE(peak, counted);
    EXPECT_GT(peak, counted - MatmulScratch(threads));
  }
}

TEST_P(ScratchTest, OfTheSumOfSquares) {
  if (dtype() != DType::kF32) return;
  Tensor x(DType::kF32, 1, 40000);
  double sum = 0;
  EXPECT_EQ(
      Peak(2, [&](Stream& stream) { AddSumOfSquares(stream, x.vector(), View(&sum, DType::kF64, {1})); }),
      SumOfSquaresScratch(40000));
}

TEST(CrossEntropyChunk, SharesRowsEvenly) {
  EXPECT_EQ(CrossEntropyChunk(100, 128), 100);
  EXPECT_EQ(CrossEntropyChunk(1024, 50304), 256);
  EXPECT_EQ(CrossEntropyChunk(65, 1 << 24), 33);
}

INSTANTIATE_OPS(ScratchTest);

}  // namespace
}  // namespace galley::ops
