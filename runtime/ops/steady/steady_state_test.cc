// A step that repeats shapes it has seen asks the C library for no memory: not through our ops, not through
// oneDNN, not through OpenMP.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/ops/adamw_update.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/cross_entropy.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/embedding.h"
#include "runtime/ops/gelu.h"
#include "runtime/ops/layer_norm.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/rms_norm.h"
#include "runtime/ops/rope.h"
#include "runtime/ops/steady/malloc_counter.h"
#include "runtime/ops/swiglu.h"

namespace galley::ops {
namespace {

constexpr int64_t kSequence = 100, kRows = 2 * kSequence, kDim = 96, kHeads = 6, kKvHeads = 2, kVocab = 1000;
constexpr int64_t kHeadDim = kDim / kHeads, kQkv = (kHeads + 2 * kKvHeads) * kHeadDim, kFfn = 250;

// One layer's worth of every op, forward and backward.
class Block {
 public:
  Block(Stream& stream, DType t) : s_(stream), t_(t) {
    Arena measure;
    Allocate(measure);
    arena_ = Arena(Buffer(Device(), measure.used()));
    Allocate(arena_);
    FillRopeTable(10000, table_);
  }

  void Step() {
    EmbeddingForward(s_, tokens_, embedding_, positions_, View{}, kSequence, x_);
    RmsNormForward(s_, x_, gain_, 1e-5f, y_, scale_);
    MatmulForward(s_, y_, w_qkv_, View{}, qkv_);
    RopeForward(s_, table_, kHeads + kKvHeads, View{}, kSequence, qkv_);
    AttentionForward(s_, shape_, qkv_, View{}, y_, logs_);
    Add(s_, x_, y_, x_);
    LayerNormForward(s_, x_, gain_, gain_, 1e-5f, y_, mean_, scale_);
    MatmulForward(s_, y_, w_up_, bias_, up_);
    SwigluForward(s_, up_, half_);
    GeluForward(s_, Gelu::kTanh, half_, half_);
    MatmulForward(s_, half_, w_down_, View{}, y_);
    CrossEntropyForwardBackward(s_, y_, embedding_, tokens_, kVocab - 3, 1e-3f, loss_, dy_, dembedding_);
    CrossEntropyForward(s_, y_, embedding_, tokens_, kVocab - 3, loss_);
    MatmulBackwardInput(s_, dy_, w_down_, half_);
    MatmulBackwardWeight(s_, half_, dy_, dw_down_, View{});
    GeluBackward(s_, Gelu::kErf, half_, half_, half_);
    SwigluBackward(s_, up_, half_, up_);
    MatmulBackwardWeight(s_, y_, up_, dw_up_, dbias_);
    LayerNormBackward(s_, x_, gain_, mean_, scale_, dy_, dy_, dy_, dgain_, dgain_);
    AttentionBackward(s_, shape_, qkv_, View{}, y_, logs_, dy_, dqkv_);
    RopeBackward(s_, table_, kHeads + kKvHeads, View{}, kSequence, dqkv_);
    MatmulBackwardInput(s_, dqkv_, w_qkv_, dy_);
    RmsNormBackward(s_, x_, gain_, scale_, dy_, View{}, dy_, dgain_);
    EmbeddingBackward(s_, tokens_, dy_, View{}, kSequence, dembedding_, dpositions_);
    double sum = 0;
    AddSumOfSquares(s_, dembedding_, View(&sum, DType::kF64, {1}));
    Scale(s_, 0.5f, dembedding_);
    AdamWUpdate(s_, AdamWStep{}, Flat(dembedding_), Flat(m_), Flat(v_), Flat(master_), Flat(copy_));
    Convert(s_, master_, embedding_);
    Zero(s_, dembedding_);
  }

 private:
  static View Flat(const View& v) { return v.Reshape({v.elements()}); }
  void Allocate(Arena& a) {
    DType f = DType::kF32;
    tokens_ = a.Take(DType::kI32, {kRows});
    embedding_ = a.Take(t_, {kVocab, kDim});
    positions_ = a.Take(t_, {kSequence, kDim});
    x_ = a.Take(t_, {kRows, kDim});
    y_ = a.Take(t_, {kRows, kDim});
    dy_ = a.Take(t_, {kRows, kDim});
    qkv_ = a.Take(t_, {kRows, kQkv});
    dqkv_ = a.Take(t_, {kRows, kQkv});
    up_ = a.Take(t_, {kRows, 2 * kFfn});
    half_ = a.Take(t_, {kRows, kFfn});
    w_qkv_ = a.Take(t_, {kQkv, kDim});
    w_up_ = a.Take(t_, {2 * kFfn, kDim});
    w_down_ = a.Take(t_, {kDim, kFfn});
    gain_ = a.Take(t_, {kDim});
    bias_ = a.Take(t_, {2 * kFfn});
    table_ = a.Take(f, {kSequence, kHeadDim});
    mean_ = a.Take(f, {kRows});
    scale_ = a.Take(f, {kRows});
    logs_ = a.Take(f, {kRows, kHeads});
    dgain_ = a.Take(f, {kDim});
    dbias_ = a.Take(f, {2 * kFfn});
    dw_up_ = a.Take(f, {2 * kFfn, kDim});
    dw_down_ = a.Take(f, {kDim, kFfn});
    dembedding_ = a.Take(f, {kVocab, kDim});
    dpositions_ = a.Take(f, {kSequence, kDim});
    m_ = a.Take(f, {kVocab, kDim});
    v_ = a.Take(f, {kVocab, kDim});
    master_ = a.Take(f, {kVocab, kDim});
    copy_ = a.Take(DType::kBF16, {kVocab, kDim});
    loss_ = a.Take(DType::kF64, {2});
  }

  Stream& s_;
  DType t_;
  AttentionShape shape_{kHeads, kKvHeads, kHeadDim, kSequence};
  Arena arena_;
  View tokens_, embedding_, positions_, x_, y_, dy_, qkv_, dqkv_, up_, half_, w_qkv_, w_up_, w_down_, gain_,
      bias_, table_, mean_, scale_, logs_, dgain_, dbias_, dw_up_, dw_down_, dembedding_, dpositions_, m_, v_,
      master_, copy_, loss_;
};

class SteadyStateTest : public ::testing::TestWithParam<DType> {};

TEST_P(SteadyStateTest, OpsAskForNoMemory) {
  if (MallocCalls() < 0) GTEST_SKIP() << "a sanitizer's allocator is in place";
  Stream stream{CpuStream(2)};
  Block block(stream, GetParam());
  block.Step();
  block.Step();
  TraceMallocCalls(true);
  int64_t before = MallocCalls();
  for (int step = 3; step <= 20; ++step) block.Step();
  TraceMallocCalls(false);
  EXPECT_EQ(MallocCalls(), before);
}

INSTANTIATE_TEST_SUITE_P(Cpu, SteadyStateTest, ::testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& info) { return std::string(Name(info.param)); });

TEST(RecyclingNew, BlocksAreAlignedDistinctAndReused) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{31}, size_t{32}, size_t{33}, size_t{1024}, size_t{1025},
                      size_t{100000}}) {
    std::vector<std::unique_ptr<char[]>> blocks;
    for (int i = 0; i < 300; ++i) {
      blocks.emplace_back(new char[size]);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back().get()) % 16, 0u);
      std::memset(blocks.back().get(), i & 0xff, size);
    }
    for (int i = 0; i < 300 && size > 0; ++i) {
      EXPECT_EQ(blocks[static_cast<size_t>(i)][size - 1], static_cast<char>(i & 0xff)) << size;
    }
  }
}

// Blocks that one thread takes and another gives back, at full speed.
TEST(RecyclingNew, ServesThreadsTogether) {
  std::vector<std::vector<std::unique_ptr<std::vector<int>>>> made(4);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&made, t, round] {
        made[(t + static_cast<size_t>(round)) % 4].clear();
        for (int i = 0; i < 500; ++i) {
          made[(t + static_cast<size_t>(round)) % 4].push_back(
              std::make_unique<std::vector<int>>(i % 200, i));
        }
      });
    }
    for (std::thread& t : threads) t.join();
  }
  for (auto& list : made) {
    for (int i = 0; i < 500; ++i) {
      ASSERT_EQ(list[static_cast<size_t>(i)]->size(), static_cast<size_t>(i % 200));
      if (i % 200 > 0) {
        ASSERT_EQ(list[static_cast<size_t>(i)]->back(), i);
      }
    }
  }
}

}  // namespace
}  // namespace galley::ops
