#include "runtime/train/step.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/models/describe.h"
#include "runtime/models/families.h"
#include "runtime/models/llama/keys.h"
#include "runtime/prepare/training_memory.h"

namespace galley::train {
namespace {

using testing::HasSubstr;

recipe::RecipeSpec Spec(recipe::Compute compute) {
  recipe::RecipeSpec spec;
  spec.model = {.family = &models::LlamaFamily(),
                .layers = 2,
                .hidden = 32,
                .heads = 4,
                .ffn = 48,
                .context = 12,
                .vocab = 40,
                .keys = models::LlamaKeys{.kv_heads = 2}};
  spec.precision.compute = compute;
  spec.batch.micro = 2;
  return spec;
}

class StepperTest : public testing::TestWithParam<recipe::Compute> {
 protected:
  std::unique_ptr<Stepper> Make() {
    auto stepper = Stepper::Create(spec_, card_, groups_, 1);
    EXPECT_TRUE(stepper.ok()) << stepper.status();
    return *std::move(stepper);
  }

  // Micro-batch m of step `step`: a walk through the vocabulary.
  TokenBatch Tokens(int step, int64_t m) {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const auto at = static_cast<int32_t>(i) * 7 + step * 5 + static_cast<int32_t>(m) * 3;
      tokens_[i] = at % 40;
      labels_[i] = (at + 7) % 40;
    }
    return {View(tokens_.data(), DType::kI32, {2, 12}), View(labels_.data(), DType::kI32, {2, 12})};
  }

  StepResult Run(Stepper& stepper, int step) {
    auto next = [&](int64_t m) -> absl::StatusOr<TokenBatch> { return Tokens(step, m); };
    auto result = stepper.Run({.micro_batches = 2, .lr = 1e-2, .next = next});
    EXPECT_TRUE(result.ok()) << result.status();
    return *result;
  }

  double Evaluate(Stepper& stepper) {
    auto next = [&](int64_t m) -> absl::StatusOr<TokenBatch> { return Tokens(999, m); };
    auto loss = stepper.Evaluate(2, next);
    EXPECT_TRUE(loss.ok()) << loss.status();
    return *loss;
  }

  static std::vector<char> Bytes(const Stepper& stepper) {
    std::vector<char> out;
    for (const checkpoint::Item& item : stepper.StateItems()) {
      const char* data = static_cast<const char*>(item.view.data);
      out.insert(out.end(), data, data + item.view.bytes());
    }
    return out;
  }

  static void SetBytes(const Stepper& stepper, const std::vector<char>& bytes) {
    const char* from = bytes.data();
    for (const checkpoint::Item& item : stepper.StateItems()) {
      std::memcpy(item.view.data, from, static_cast<size_t>(item.view.bytes()));
      from += item.view.bytes();
    }
  }

  recipe::RecipeSpec spec_ = Spec(GetParam());
  plan::ModelCard card_ = models::Describe(spec_);
  std::unique_ptr<comm::Group> world_ = comm::MakeSelfGroup();
  parallel::Groups groups_ = *parallel::Groups::Split(world_.get(), {});
  std::vector<int32_t> tokens_ = std::vector<int32_t>(24), labels_ = tokens_;
};

TEST_P(StepperTest, LearnsAWalk) {
  auto stepper = Make();
  const double first = Run(*stepper, 0).loss;
  EXPECT_NEAR(first, std::log(40.0), 0.1) << "a fresh model knows nothing";
  for (int i = 1; i < 40; ++i) Run(*stepper, i);
  EXPECT_LT(Run(*stepper, 40).loss, 0.5);
  EXPECT_EQ(stepper->optimizer_step(), 41);
}

TEST_P(StepperTest, EvaluationMovesNoTrainingState) {
  auto plain = Make(), evaluated = Make();
  for (int i = 0; i < 3; ++i) {
    Run(*plain, i);
    Run(*evaluated, i);
    const double loss = Evaluate(*evaluated);
    EXPECT_EQ(Evaluate(*evaluated), loss);
  }
  EXPECT_EQ(Bytes(*plain), Bytes(*evaluated));
  EXPECT_EQ(Run(*plain, 3).loss, Run(*evaluated, 3).loss);
}

TEST_P(StepperTest, RestoredStateGoesOnBitForBit) {
  auto one = Make();
  for (int i = 0; i < 3; ++i) Run(*one, i);
  const std::vector<char> saved = Bytes(*one);

  spec_.train.seed = 99;  // other weights, so that nothing is right by chance
  auto two = Make();
  SetBytes(*two, saved);
  two->Restored(3);
  for (int i = 3; i < 6; ++i) {
    StepResult a = Run(*one, i), b = Run(*two, i);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.grad_norm, b.grad_norm);
  }
  EXPECT_EQ(Bytes(*one), Bytes(*two));
}

TEST_P(StepperTest, ANotFiniteLossIsToldAndNothingIsUpdated) {
  auto stepper = Make();
  Run(*stepper, 0);
  stepper->StateItems()[0].view.As<float>()[0] = std::numeric_limits<float>::infinity();
  stepper->Restored(1);
  const std::vector<char> before = Bytes(*stepper);
  StepResult result = Run(*stepper, 0);
  EXPECT_FALSE(result.updated);
  EXPECT_FALSE(std::isfinite(result.loss) && std::isfinite(result.grad_norm));
  EXPECT_EQ(Bytes(*stepper), before);
  EXPECT_EQ(stepper->optimizer_step(), 1);
}

TEST_P(StepperTest, ATokenBeyondTheVocabularyIsAnError) {
  auto stepper = Make();
  auto next = [&](int64_t m) -> absl::StatusOr<TokenBatch> {
    TokenBatch batch = Tokens(0, m);
    labels_[5] = 40;
    return batch;
  };
  auto result = stepper->Run({.micro_batches = 1, .lr = 1e-2, .next = next});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status().message(),
              HasSubstr("token id 40 in micro-batch 0: the model's vocabulary has 40"));
}

TEST_P(StepperTest, AnErrorOfTheDataIsPassedOn) {
  auto stepper = Make();
  auto next = [](int64_t) -> absl::StatusOr<TokenBatch> { return absl::DataLossError("a.bin: short"); };
  EXPECT_EQ(stepper->Run({.micro_batches = 1, .lr = 1e-2, .next = next}).status(),
            absl::DataLossError("a.bin: short"));
}

// Two documents in one sample, kept apart by starts and positions, train as the same documents in samples of
// their own whose rest has no label: the same mean, norm and weights.
TEST_P(StepperTest, DocumentsKeptApartTrainAsIfAlone) {
  for (const recipe::Family* family : models::RecipeFamilies()) {
    spec_ = Spec(GetParam());
    recipe::SetFamily(*family, spec_.model);
    if (family->finish != nullptr) family->finish(spec_.model);
    card_ = models::Describe(spec_);
    // Positions 0..4 and 5..11 are documents, the last label of each is in the other and does not count.
    const Shape shape{2, 12};
    std::vector<int32_t> starts(24), positions(24), packed(24), packed_labels(24);
    std::vector<int32_t> alone[2], alone_labels[2];
    for (int b = 0; b < 2; ++b) {
      alone[b].assign(24, 0);
      alone_labels[b].assign(24, -1);
      for (int t = 0; t < 12; ++t) {
        const int at = b * 12 + t, first = t < 5 ? 0 : 5, end = t < 5 ? 5 : 12;
        starts[at] = first;
        positions[at] = t - first;
        packed[at] = (at * 11 + 3) % 40;
        packed_labels[at] = t + 1 == end ? -1 : ((at + 1) * 11 + 3) % 40;
        const int row = first == 0 ? 0 : 1;
        alone[b][row * 12 + t - first] = packed[at];
        alone_labels[b][row * 12 + t - first] = packed_labels[at];
      }
    }
    auto view = [&](std::vector<int32_t>& v) { return View(v.data(), DType::kI32, shape); };
    auto one = Make(), two = Make();
    for (int step = 0; step < 3; ++step) {
      auto together =
          one->Run({.micro_batches = 1, .lr = 1e-2, .next = [&](int64_t) -> absl::StatusOr<TokenBatch> {
                      return TokenBatch{view(packed), view(packed_labels), view(starts), view(positions)};
                    }});
      auto apart =
          two->Run({.micro_batches = 2, .lr = 1e-2, .next = [&](int64_t m) -> absl::StatusOr<TokenBatch> {
                      return TokenBatch{view(alone[m]), view(alone_labels[m])};
                    }});
      ASSERT_TRUE(together.ok() && apart.ok()) << together.status() << apart.status();
      const double tolerance = GetParam() == recipe::Compute::kF32 ? 1e-5 : 3e-2;
      EXPECT_NEAR(together->loss / apart->loss, 1, tolerance) << step;
      EXPECT_NEAR(together->grad_norm / apart->grad_norm, 1, 3 * tolerance) << step;
    }
    // The documents do matter: without borders the loss is another.
    auto blind = one->Evaluate(1, [&](int64_t) -> absl::StatusOr<TokenBatch> {
      return TokenBatch{view(packed), view(packed_labels)};
    });
    auto seeing = one->Evaluate(1, [&](int64_t) -> absl::StatusOr<TokenBatch> {
      return TokenBatch{view(packed), view(packed_labels), view(starts), view(positions)};
    });
    ASSERT_TRUE(blind.ok() && seeing.ok());
    EXPECT_GT(std::abs(*blind / *seeing - 1), 1e-3);
  }
}

TEST_P(StepperTest, AStepWithoutAnyLabelIsAnError) {
  auto stepper = Make();
  auto next = [&](int64_t m) -> absl::StatusOr<TokenBatch> {
    TokenBatch batch = Tokens(0, m);
    labels_.assign(labels_.size(), -1);
    return batch;
  };
  auto result = stepper->Run({.micro_batches = 1, .lr = 1e-2, .next = next});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(StepperTest, StateHoldsEveryParameterThreeTimes) {
  auto items = Make()->StateItems();
  ASSERT_EQ(items.size(), 3 * card_.params.size());
  EXPECT_EQ(items.front().name, "model.embedding");
  EXPECT_EQ(items[card_.params.size()].name, "optim.m.embedding");
  EXPECT_EQ(items.back().name, "optim.v.head.weight");
  EXPECT_EQ(items.back().shape, (std::vector<int64_t>{40, 32}));
}

TEST_P(StepperTest, MemoryIsWhatWasMeasuredAndStaysSo) {
  const int64_t measured = prepare::MeasureTraining(spec_, card_, 1).total();
  const int64_t states = card_.parameters() * (4 * 4 + (GetParam() == recipe::Compute::kBF16 ? 2 : 0));
  EXPECT_GT(measured, states);
  EXPECT_LT(measured, states + (4 << 20));
  auto stepper = Make();
  EXPECT_EQ(stepper->memory_bytes(), measured);
  Run(*stepper, 0);
  Evaluate(*stepper);
  EXPECT_EQ(stepper->memory_bytes(), measured);
}

TEST_P(StepperTest, MoreThanTheMachineHasIsRefused) {
  spec_.model.hidden = 1 << 17;
  spec_.model.ffn = 1 << 18;
  card_ = models::Describe(spec_);
  EXPECT_GT(prepare::MeasureTraining(spec_, card_, 1).total(), int64_t{1} << 40);
  auto refused = Stepper::Create(spec_, card_, groups_, 1);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.status().message(), HasSubstr("lower batch.micro"));
}

INSTANTIATE_TEST_SUITE_P(Compute, StepperTest, testing::Values(recipe::Compute::kF32, recipe::Compute::kBF16),
                         [](const auto& info) {
                           return info.param == recipe::Compute::kF32 ? "F32" : "BF16";
                         });

}  // namespace
}  // namespace galley::train
