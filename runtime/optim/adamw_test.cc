#include "runtime/optim/adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <limits>

#include "runtime/base/rng.h"
#include "runtime/ops/elementwise.h"

namespace galley::optim {
namespace {

std::vector<plan::ParamSpec> Params() {
  auto param = [](const char* name, std::vector<int64_t> shape, bool decay) {
    plan::ParamSpec p;
    p.name = name;
    p.shape = std::move(shape);
    p.decay = decay;
    return p;
  };
  return {param("embedding", {31, 7}, true), param("matrix", {5, 7}, true), param("bias", {5}, false),
          param("gain", {13}, false), param("head", {31, 7}, true)};
}

// The same update in float64, one weight at a time.
struct Reference {
  std::vector<double> w, m, v;
  int64_t steps = 0;

  void Step(const recipe::Optimizer& o, double lr, double scale, const std::vector<double>& g) {
    ++steps;
    size_t i = 0;
    for (const plan::ParamSpec& p : Params()) {
      for (int64_t e = 0; e < p.elements(); ++e, ++i) {
        double gi = scale * g[i];
        m[i] = o.beta1 * m[i] + (1 - o.beta1) * gi;
        v[i] = o.beta2 * v[i] + (1 - o.beta2) * gi * gi;
        double mhat = m[i] / (1 - std::pow(o.beta1, static_cast<double>(steps)));
        double vhat = v[i] / (1 - std::pow(o.beta2, static_cast<double>(steps)));
        w[i] -= lr * (mhat / (std::sqrt(vhat) + o.eps) + (p.decay ? o.weight_decay * w[i] : 0));
      }
    }
  }
};

class AdamWTest : public ::testing::Test {
 protected:
  AdamWTest() {
    spec_.beta2 = 0.95;
    spec_.weight_decay = 0.5;
  }
  // Moments in memory that lives as long as the test.
  AdamW Make() {
    int64_t elements = 0;
    for (const plan::ParamSpec& p : Params()) elements += p.elements();
    Arena measure;
    AllocateMoments(elements, measure);
    Arena& arena = arenas_.emplace_back(Buffer(Device(), measure.used()));
    return AdamW(spec_, Params(), AllocateMoments(elements, arena));
  }
  static std::vector<float> Normal(size_t n, uint64_t seed) {
    std::vector<float> out(n);
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<float>(Philox(seed, 0).Normal(i));
    return out;
  }
  // Of the gradient, as a step takes it.
  double Norm(View flat) {
    double sum = 0;
    ops::AddSumOfSquares(stream_, flat, View(&sum, DType::kF64, {1}));
    return std::sqrt(sum);
  }
  static View Of(std::vector<float>& v) {
    return View(v.data(), DType::kF32, {static_cast<int64_t>(v.size())});
  }

  recipe::Optimizer spec_;
  std::deque<Arena> arenas_;
  Stream stream_{CpuStream(2)};
};

TEST_F(AdamWTest, AgreesWithDouble) {
  AdamW adamw = Make();
  auto n = static_cast<size_t>(adamw.elements());
  ASSERT_EQ(n, 31u * 7 + 35 + 5 + 13 + 31 * 7);
  std::vector<float> w = Normal(n, 1);
  Reference want{{w.begin(), w.end()}, std::vector<double>(n), std::vector<double>(n)};
  std::vector<BF16> copy(n);
  for (uint64_t t = 1; t <= 6; ++t) {
    std::vector<float> g = Normal(n, 10 + t);
    double lr = 0.01 / static_cast<double>(t);
    double clip = ClipCoefficient(Norm(Of(g)), 1.0);
    adamw.Step(stream_, lr, clip, Of(g), Of(w), View(copy.data(), DType::kBF16, {adamw.elements()}));
    want.Step(spec_, lr, clip, {g.begin(), g.end()});
  }
  EXPECT_EQ(adamw.steps(), 6);
  for (size_t i = 0; i < n; ++i) {
    ASSERT_NEAR(static_cast<double>(w[i]), want.w[i], 1e-6 * (1 + std::abs(want.w[i]))) << i;
    ASSERT_EQ(copy[i].bits, BF16(w[i]).bits) << i;
  }
}

TEST_F(AdamWTest, GoesOnFromItsSavedStateBitByBit) {
  AdamW one = Make(), two = Make();
  auto n = static_cast<size_t>(one.elements());
  std::vector<float> w = Normal(n, 1), g = Normal(n, 2);
  for (int t = 0; t < 3; ++t) one.Step(stream_, 0.01, 1, Of(g), Of(w), View{});
  std::vector<float> saved = w;
  two.set_steps(one.steps());
  std::vector<AdamW::Slice> from = one.State(), to = two.State();
  ASSERT_EQ(from.size(), 2 * Params().size());
  EXPECT_EQ(from[0].name, "optim.m.embedding");
  EXPECT_EQ(from[1].name, "optim.v.embedding");
  EXPECT_EQ(from[0].shape, std::vector<int64_t>({31, 7}));
  for (size_t i = 0; i < from.size(); ++i) {
    std::copy_n(from[i].view.As<float>(), from[i].view.elements(), to[i].view.As<float>());
  }
  one.Step(stream_, 0.01, 1, Of(g), Of(w), View{});
  two.Step(stream_, 0.01, 1, Of(g), Of(saved), View{});
  EXPECT_EQ(w, saved);
}

TEST_F(AdamWTest, DecaySparesWhatTheTableSpares) {
  AdamW adamw = Make();
  auto n = static_cast<size_t>(adamw.elements());
  std::vector<float> w(n, 1.0f), g(n, 0.0f);
  adamw.Step(stream_, 0.1, 1, Of(g), Of(w), View{});
  size_t bias = 31 * 7 + 35;
  EXPECT_FLOAT_EQ(w[0], 0.95f);
  EXPECT_FLOAT_EQ(w[bias - 1], 0.95f);
  for (size_t i = bias; i < bias + 18; ++i) EXPECT_EQ(w[i], 1.0f) << i;
  EXPECT_FLOAT_EQ(w[bias + 18], 0.95f);
}

TEST_F(AdamWTest, ClipCoefficient) {
  EXPECT_DOUBLE_EQ(ClipCoefficient(2.0, 1.0), 1.0 / (2.0 + 1e-6));
  EXPECT_EQ(ClipCoefficient(0.5, 1.0), 1.0);
  EXPECT_EQ(ClipCoefficient(100.0, 0.0), 1.0);
  std::vector<float> g = {3, 4};
  EXPECT_DOUBLE_EQ(Norm(Of(g)), 5.0);
  g[1] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(Norm(Of(g))));
}

}  // namespace
}  // namespace galley::optim
