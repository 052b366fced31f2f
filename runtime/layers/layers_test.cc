// Each layer's backward pass is the derivative of its forward pass: along a random direction of every input
// and parameter, the slope that Backward claims is the slope that two Forwards show.
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/rng.h"
#include "runtime/layers/attention.h"
#include "runtime/layers/embedding.h"
#include "runtime/layers/linear.h"
#include "runtime/layers/loss.h"
#include "runtime/layers/mlp.h"
#include "runtime/layers/norm.h"
#include "runtime/ops/rope.h"

namespace galley::layers {
namespace {

constexpr int64_t kBatch = 3, kSequence = 5, kRows = kBatch * kSequence, kHidden = 24;

class LayerTest : public testing::Test {
 protected:
  View Make(Shape shape, double scale = 0, double shift = 0) {
    Buffer& buffer = buffers_.emplace_back(Device(), shape.elements() * 4);
    View view(buffer.data(), DType::kF32, shape);
    Fill(view, scale, shift);
    return view;
  }
  void Fill(View view, double scale, double shift = 0) {
    const Philox normal(5, ++streams_);
    for (int64_t i = 0; i < view.elements(); ++i) {
      view.As<float>()[i] = static_cast<float>(shift + scale * normal.Normal(static_cast<uint64_t>(i)));
    }
  }
  const Param* MakeParam(Shape shape, double scale, double shift = 0) {
    View w = Make(shape, scale, shift);
    params_.push_back(std::make_unique<Param>(Param{.weight = w, .master = w, .grad = Make(shape)}));
    return params_.back().get();
  }
  Linear MakeLinear(int64_t out, int64_t in, bool bias) {
    const Param* w = MakeParam({out, in}, 0.3);
    return Linear(w, bias ? MakeParam({out}, 0.3) : nullptr);
  }
  // `allocate`: a function of Memory. Runs it to measure and to bind.
  template <class F>
  auto Allocate(F&& allocate) {
    Memory measured;
    allocate(measured);
    memory_ = BindMemory(Device(), measured);
    return allocate(memory_);
  }

  static double Dot(View a, View b) {
    double sum = 0;
    for (int64_t i = 0; i < a.elements(); ++i) {
      sum += static_cast<double>(a.As<float>()[i]) * static_cast<double>(b.As<float>()[i]);
    }
    return sum;
  }

  // `value`: the scalar that is differentiated. `claimed`: the gradient that Backward gave for `at`.
  void ExpectSlope(const std::string& what, const std::function<double()>& value, View at, View claimed) {
    View direction = Make(at.shape, 1);
    auto move = [&](double step) {
      for (int64_t i = 0; i < at.elements(); ++i) {
        at.As<float>()[i] += static_cast<float>(step) * direction.As<float>()[i];
      }
    };
    constexpr double kStep = 2e-3;
    move(kStep);
    const double up = value();
    move(-2 * kStep);
    const double down = value();
    move(kStep);
    const double claim = Dot(claimed, direction), seen = (up - down) / (2 * kStep);
    EXPECT_NEAR(claim, seen, 0.01 * std::sqrt(Dot(claimed, claimed)) + 2e-3) << what;
  }

  // For layers y = f(x): differentiates dot(y, dy) in x and in all parameters made so far.
  void ExpectDerivative(const std::function<void(View x, View y)>& forward,
                        const std::function<void(View x, View dy, View dx)>& backward) {
    View x = Make({kRows, kHidden}, 1), y = Make({kRows, kHidden});
    View dy = Make({kRows, kHidden}, 1), dx = Make({kRows, kHidden});
    auto value = [&] {
      forward(x, y);
      return Dot(y, dy);
    };
    value();
    backward(x, dy, dx);
    ExpectSlope("x", value, x, dx);
    for (size_t i = 0; i < params_.size(); ++i) {
      ExpectSlope("parameter " + std::to_string(i), value, params_[i]->master, params_[i]->grad);
    }
  }

  static constexpr Extent kExtent{.rows = kRows, .sequence = kSequence, .vocab = 16, .compute = DType::kF32};
  Stream stream_{CpuStream(2)};
  std::vector<Buffer> buffers_;
  std::vector<std::unique_ptr<Param>> params_;
  Memory memory_;
  uint64_t streams_ = 0;
};

TEST_F(LayerTest, Linear) {
  Linear layer = MakeLinear(kHidden, kHidden, true);
  ExpectDerivative([&](View x, View y) { layer.Forward(stream_, x, y); },
                   [&](View x, View dy, View dx) { layer.Backward(stream_, x, dy, dx); });
}

TEST_F(LayerTest, NormsAddTheResidualsGradient) {
  for (bool bias : {false, true}) {
    params_.clear();
    const Param* gain = MakeParam({kHidden}, 0.3, 1);
    Norm layer(gain, bias ? MakeParam({kHidden}, 0.3) : nullptr, 1e-5);
    const NormActivations a = Allocate([&](Memory& m) { return AllocateNorm(kExtent, kHidden, bias, m); });
    // y = norm(x) + x, whose second part Backward is handed as the residual.
    ExpectDerivative(
        [&](View x, View y) {
          layer.Forward(stream_, a, x, y);
          for (int64_t i = 0; i < x.elements(); ++i) y.As<float>()[i] += x.As<float>()[i];
        },
        [&](View x, View dy, View dx) { layer.Backward(stream_, a, x, dy, dy, dx); });
  }
}

TEST_F(LayerTest, AttentionWithGroupedQueriesAndRotation) {
  const AttentionSizes sizes{.heads = 4, .kv_heads = 2, .head_dim = 6};
  const View rope = Make({kSequence, 6});
  ops::FillRopeTable(100, rope);
  Linear qkv = MakeLinear(8 * 6, kHidden, false);
  Attention layer(sizes, rope, qkv, MakeLinear(kHidden, 4 * 6, false));
  const AttentionActivations a = Allocate([&](Memory& m) { return AllocateAttention(kExtent, sizes, m); });
  ExpectDerivative(
      [&](View x, View y) { layer.Forward(stream_, {.length = kSequence}, a, x, y); },
      [&](View x, View dy, View dx) { layer.Backward(stream_, {.length = kSequence}, a, x, dy, dx); });
}

TEST_F(LayerTest, AttentionToBothSidesWithBiasesAndWithoutRotation) {
  Linear qkv = MakeLinear(9 * 8, kHidden, true);
  const AttentionSizes sizes{.heads = 3, .kv_heads = 3, .head_dim = 8, .causal = false};
  Attention layer(sizes, View{}, qkv, MakeLinear(kHidden, 24, true));
  const AttentionActivations a = Allocate([&](Memory& m) { return AllocateAttention(kExtent, sizes, m); });
  ExpectDerivative(
      [&](View x, View y) { layer.Forward(stream_, {.length = kSequence}, a, x, y); },
      [&](View x, View dy, View dx) { layer.Backward(stream_, {.length = kSequence}, a, x, dy, dx); });
}

TEST_F(LayerTest, OnlyAttentionToBothSidesSeesWhatComesLater) {
  std::vector<float> input(static_cast<size_t>(kRows * kHidden)), first(input.size()), second(input.size());
  for (size_t i = 0; i < input.size(); ++i) input[i] = std::sin(static_cast<float>(i));
  const auto of = [](std::vector<float>& v) { return View(v.data(), DType::kF32, {kRows, kHidden}); };
  for (const bool causal : {true, false}) {
    params_.clear();
    Linear qkv = MakeLinear(9 * 8, kHidden, false);
    const AttentionSizes sizes{.heads = 3, .kv_heads = 3, .head_dim = 8, .causal = causal};
    Attention layer(sizes, View{}, qkv, MakeLinear(kHidden, 24, false));
    const AttentionActivations a = Allocate([&](Memory& m) { return AllocateAttention(kExtent, sizes, m); });
    layer.Forward(stream_, {.length = kSequence}, a, of(input), of(first));
    input[static_cast<size_t>((kSequence - 1) * kHidden)] += 1;  // of the first sample's last token
    layer.Forward(stream_, {.length = kSequence}, a, of(input), of(second));
    EXPECT_EQ(std::equal(first.begin(), first.begin() + kHidden, second.begin()), causal);
  }
}

TEST_F(LayerTest, GeluMlps) {
  for (ops::Gelu kind : {ops::Gelu::kTanh, ops::Gelu::kErf}) {
    params_.clear();
    Linear up = MakeLinear(50, kHidden, true);
    GeluMlp layer(kind, up, MakeLinear(kHidden, 50, true));
    const MlpActivations a =
        Allocate([](Memory& m) { return AllocateMlp(kExtent, {.up = 50, .down = 50}, m); });
    ExpectDerivative([&](View x, View y) { layer.Forward(stream_, a, x, y); },
                     [&](View x, View dy, View dx) { layer.Backward(stream_, a, x, dy, dx); });
  }
}

TEST_F(LayerTest, SwigluMlp) {
  Linear gate_up = MakeLinear(2 * 33, kHidden, false);
  SwigluMlp layer(gate_up, MakeLinear(kHidden, 33, false));
  const MlpActivations a =
      Allocate([](Memory& m) { return AllocateMlp(kExtent, {.up = 66, .down = 33}, m); });
  ExpectDerivative([&](View x, View y) { layer.Forward(stream_, a, x, y); },
                   [&](View x, View dy, View dx) { layer.Backward(stream_, a, x, dy, dx); });
}

class EndsTest : public LayerTest {
 protected:
  EndsTest() {
    for (size_t i = 0; i < ids_.size(); ++i) ids_[i] = static_cast<int32_t>(i * i % 11);
  }
  std::vector<int32_t> ids_ = std::vector<int32_t>(kRows);
};

TEST_F(EndsTest, EmbeddingAddsPositionsOfEachSample) {
  const Param* table = MakeParam({11, kHidden}, 1);
  Embedding layer(table, MakeParam({kSequence, kHidden}, 1));
  const View tokens(ids_.data(), DType::kI32, {kBatch, kSequence});
  ExpectDerivative(
      [&](View, View y) { layer.Forward(stream_, {.length = tokens.shape[1]}, tokens, y); },
      [&](View, View dy, View) { layer.Backward(stream_, {.length = tokens.shape[1]}, tokens, dy); });
}

TEST_F(EndsTest, LossLeavesThePaddingOutAndItsLogitsAgree) {
  constexpr int64_t kVocab = 11, kPadded = 16;
  const Param* gain = MakeParam({kHidden}, 0.3, 1);
  const Param* head = MakeParam({kPadded, kHidden}, 0.5);
  Loss layer(Norm(gain, nullptr, 1e-5), head, kVocab);
  const LossActivations a = Allocate([](Memory& m) { return AllocateLoss(kExtent, kHidden, false, m); });
  const View labels(ids_.data(), DType::kI32, {kRows});
  View x = Make({kRows, kHidden}, 1), dx = Make({kRows, kHidden});
  double sums[2] = {};
  const View loss(sums, DType::kF64, {2});
  auto value = [&] {
    sums[0] = sums[1] = 0;
    layer.Forward(stream_, a, x, labels, loss);
    return sums[0];
  };
  const double forward = value();
  EXPECT_EQ(sums[1], kRows);

  constexpr float kScale = 0.25;
  sums[0] = sums[1] = 0;
  layer.ForwardBackward(stream_, a, x, labels, kScale, loss, dx);
  EXPECT_NEAR(sums[0], forward, 1e-5 * forward);
  auto scaled = [&] { return kScale * value(); };
  ExpectSlope("x", scaled, x, dx);
  ExpectSlope("gain", scaled, gain->master, gain->grad);
  ExpectSlope("head", scaled, head->master, head->grad);
  for (int64_t i = kVocab * kHidden; i < kPadded * kHidden; ++i) EXPECT_EQ(head->grad.As<float>()[i], 0);

  View logits = Make({kRows, kVocab});
  layer.Logits(stream_, a, x, logits);
  double again = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    const float* row = logits.As<float>() + r * kVocab;
    double sum = 0;
    for (int64_t i = 0; i < kVocab; ++i) sum += std::exp(static_cast<double>(row[i]));
    again += std::log(sum) - static_cast<double>(row[ids_[static_cast<size_t>(r)]]);
  }
  EXPECT_NEAR(again, value(), 1e-4 * again);
}

}  // namespace
}  // namespace galley::layers
