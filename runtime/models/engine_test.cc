// Blocks hold nothing of a micro-batch: several in flight, activations made again, and a model cut into
// stages give the bits of one micro-batch after the other through one stage.
#include "runtime/models/engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/models/describe.h"
#include "runtime/models/families.h"
#include "runtime/models/llama/keys.h"

namespace galley::models {
namespace {

constexpr int64_t kSamples = 2, kContext = 12, kRows = kSamples * kContext, kVocab = 40;

recipe::RecipeSpec Spec(const recipe::Family* family, recipe::Compute compute) {
  recipe::RecipeSpec spec;
  spec.model = {.layers = 4, .hidden = 32, .heads = 4, .ffn = 48, .context = kContext, .vocab = kVocab};
  recipe::SetFamily(*family, spec.model);
  if (family == &LlamaFamily()) spec.model.keys.As<LlamaKeys>().kv_heads = 2;
  spec.precision.compute = compute;
  return spec;
}

// An engine with its memory, zero gradients and a sum of losses.
struct Stage {
  Stage(const recipe::RecipeSpec& spec, EngineOptions options) {
    options.rows = kRows;
    card = StageCard(spec.model, Describe(spec), options.stage, options.stages);
    layers::Memory measured;
    AllocateEngine(spec, card, options, measured);
    memory = layers::BindMemory(Device(), measured);
    engine = std::make_unique<Engine>(spec.model, card, options, AllocateEngine(spec, card, options, memory),
                                      MakeStream(Device(), 2));
    engine->weights().Initialise(engine->stream(), 7, 2);
  }

  // The gradient of a parameter, by name.
  std::vector<float> Gradient(const std::string& name) {
    const ParamTable& table = engine->weights().table();
    for (int i = 0; i < table.size(); ++i) {
      if (table.spec(i).name != name) continue;
      const std::span<float> g = table.at(i)->grad.Span<float>();
      return {g.begin(), g.end()};
    }
    ADD_FAILURE() << name;
    return {};
  }

  int64_t kept_bytes() const { return memory.kept.peak(); }

  plan::ModelCard card;
  layers::Memory memory;
  std::unique_ptr<Engine> engine;
};

class EngineTest : public testing::TestWithParam<std::tuple<const recipe::Family*, recipe::Compute>> {
 protected:
  EngineTest() {
    for (int m = 0; m < 2; ++m) {
      for (int64_t i = 0; i < kRows; ++i) {
        tokens_[m].push_back(static_cast<int32_t>((i * 7 + m * 3) % kVocab));
        labels_[m].push_back(static_cast<int32_t>((i * 7 + m * 3 + 7) % kVocab));
      }
    }
  }

  Batch BatchOf(int m) {
    const Shape shape{kSamples, kContext};
    return {.tokens = View(tokens_[m].data(), DType::kI32, shape),
            .labels = View(labels_[m].data(), DType::kI32, shape),
            .grad_scale = 1.0F / (2 * kRows),
            .loss = View(loss_, DType::kF64, {2})};
  }

  // Micro-batch 0 and then 1, each forward and backward: what everything else is compared with.
  std::unique_ptr<Stage> OneAfterTheOther() {
    auto stage = std::make_unique<Stage>(spec_, EngineOptions{});
    for (int m : {0, 1}) {
      stage->engine->Forward(0, BatchOf(m));
      stage->engine->Backward(0, BatchOf(m));
    }
    want_loss_ = loss_[0];
    loss_[0] = loss_[1] = 0;
    EXPECT_NEAR(want_loss_ / (2 * kRows), std::log(kVocab), 0.2);
    return stage;
  }

  void ExpectSame(Stage& want, Stage& got) {
    for (const plan::ParamSpec& p : got.card.params) {
      EXPECT_EQ(want.Gradient(p.name), got.Gradient(p.name)) << p.name;
    }
    EXPECT_EQ(loss_[0], want_loss_);
    EXPECT_EQ(loss_[1], 2 * kRows);
  }

  const recipe::RecipeSpec spec_ = Spec(std::get<0>(GetParam()), std::get<1>(GetParam()));
  std::vector<int32_t> tokens_[2], labels_[2];
  double loss_[2] = {};
  double want_loss_ = 0;
};

TEST_P(EngineTest, TwoMicroBatchesInFlightGiveTheSameBits) {
  auto want = OneAfterTheOther();
  Stage stage(spec_, {.micro_batches = 2});
  for (int m : {0, 1}) stage.engine->Forward(m, BatchOf(m));
  for (int m : {0, 1}) stage.engine->Backward(m, BatchOf(m));
  ExpectSame(*want, stage);
}

TEST_P(EngineTest, RecomputedActivationsGiveTheSameBitsInLessMemory) {
  auto want = OneAfterTheOther();
  Stage whole(spec_, {.micro_batches = 2});
  Stage stage(spec_, {.mode = EngineMode::kRecompute, .micro_batches = 2});
  EXPECT_LT(stage.kept_bytes(), whole.kept_bytes());
  for (int m : {0, 1}) stage.engine->Forward(m, BatchOf(m));
  for (int m : {0, 1}) stage.engine->Backward(m, BatchOf(m));
  ExpectSame(*want, stage);
}

TEST_P(EngineTest, GradientsBecomeFinalFromTheEndOfTheTable) {
  Stage stage(spec_, {});
  stage.engine->Forward(0, BatchOf(0));
  std::vector<int64_t> offsets;
  std::vector<std::vector<float>> then;  // gradients at and above each offset, when it was told
  const std::span<const float> gradients = stage.engine->weights().gradients().Span<float>();
  stage.engine->Backward(0, BatchOf(0), [&](int64_t offset) {
    offsets.push_back(offset);
    then.emplace_back(gradients.begin() + offset, gradients.end());
  });
  for (size_t i = 0; i < offsets.size(); ++i) {
    EXPECT_TRUE(std::equal(then[i].begin(), then[i].end(), gradients.begin() + offsets[i])) << offsets[i];
  }
  ASSERT_EQ(static_cast<int64_t>(offsets.size()), spec_.model.layers + 2);
  EXPECT_TRUE(std::is_sorted(offsets.rbegin(), offsets.rend()));
  EXPECT_LT(offsets.front(), stage.card.parameters());
  EXPECT_EQ(offsets.back(), 0);
}

// Forward 0, forward 1, backward 0, backward 1 through two stages, the residual stream handed over by copy.
// With a head of its own every gradient has the bits of one stage. A tied head's stage has a copy of the
// embedding; the two copies' gradients add up to that of the one.
TEST_P(EngineTest, TwoStagesGiveTheSameBits) {
  recipe::RecipeSpec spec = spec_;
  auto want = OneAfterTheOther();
  Stage first(spec, {.micro_batches = 2, .stage = 0, .stages = 2});
  Stage second(spec, {.micro_batches = 2, .stage = 1, .stages = 2});
  auto copy = [](View from, View to) {
    ASSERT_EQ(from.bytes(), to.bytes());
    std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
  };
  for (int m : {0, 1}) {
    first.engine->Forward(m, BatchOf(m));
    copy(first.engine->output(m), second.engine->input(m));
    second.engine->Forward(m, BatchOf(m));
  }
  for (int m : {0, 1}) {
    second.engine->Backward(m, BatchOf(m));
    copy(second.engine->input_gradient(), first.engine->output_gradient());
    first.engine->Backward(m, BatchOf(m));
  }
  EXPECT_EQ(loss_[0], want_loss_);

  const std::string tied = want->card.tied_head() ? want->card.params[0].name : "";
  int64_t parameters = 0;
  for (Stage* stage : {&first, &second}) {
    for (const plan::ParamSpec& p : stage->card.params) {
      parameters += p.elements();
      if (p.name == tied) continue;
      EXPECT_EQ(want->Gradient(p.name), stage->Gradient(p.name)) << p.name;
    }
  }
  if (tied.empty()) {
    EXPECT_EQ(parameters, want->card.parameters());
    return;
  }
  EXPECT_EQ(parameters, want->card.parameters() + want->card.params[0].elements());
  std::vector<float> one = want->Gradient(tied), a = first.Gradient(tied), b = second.Gradient(tied);
  for (size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], a[i] + b[i], 1e-6) << i;
}

TEST_P(EngineTest, ABatchSmallerThanTheEngineIsTheSameAsInOneOfItsSize) {
  Stage stage(spec_, {});
  Batch small = BatchOf(0);
  small.tokens = small.tokens.Rows(0, 1);
  small.labels = small.labels.Rows(0, 1);
  small.backward = false;
  stage.engine->Forward(0, small);
  const double first = loss_[0];
  small = BatchOf(0);
  small.tokens = small.tokens.Rows(1, 1);
  small.labels = small.labels.Rows(1, 1);
  small.backward = false;
  stage.engine->Forward(0, small);
  EXPECT_EQ(loss_[1], kRows);
  const double parts = loss_[0];
  EXPECT_GT(parts, first);
  loss_[0] = loss_[1] = 0;
  Batch whole = BatchOf(0);
  whole.backward = false;
  stage.engine->Forward(0, whole);
  EXPECT_NEAR(loss_[0] / parts, 1, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Families, EngineTest,
                         testing::Combine(testing::ValuesIn(RecipeFamilies()),
                                          testing::Values(recipe::Compute::kF32, recipe::Compute::kBF16)),
                         [](const auto& info) {
                           return std::get<0>(info.param)->name +
                                  (std::get<1>(info.param) == recipe::Compute::kF32 ? "F32" : "BF16");
                         });

TEST(StageBlocks, ShareTheLayersAndGiveTheEndsToFirstAndLast) {
  const recipe::Model model{.layers = 6};
  EXPECT_EQ(StageBlocks(model, 0, 1), (BlockRange{0, 8}));
  EXPECT_EQ(StageBlocks(model, 0, 3), (BlockRange{0, 3}));
  EXPECT_EQ(StageBlocks(model, 1, 3), (BlockRange{3, 5}));
  EXPECT_EQ(StageBlocks(model, 2, 3), (BlockRange{5, 8}));
}

TEST(Activations, OfAnotherKindOfBlockDie) {
  HeadActivations head;
  EXPECT_DEATH(As<PreNormActivations>(head), "layout and model disagree");
}

}  // namespace
}  // namespace galley::models
