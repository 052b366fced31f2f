// Galley's losses and gradient norms against PyTorch's in float64 (make_golden.py), to the digit.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/models/llama/keys.h"
#include "tests/golden/golden_run.h"

namespace galley::golden {
namespace {

constexpr double kExact = 1e-5;  // f32, relative, loss and gradient norm of every step

class Golden : public testing::TestWithParam<std::string> {
 protected:
  recipe::RecipeSpec spec_ = LoadRecipe(GetParam());
  std::vector<Step> golden_ = LoadGolden(GetParam());
};

TEST_P(Golden, F32FollowsTheReference) {
  std::vector<Step> run = Train(spec_);
  for (size_t i = 0; i < run.size(); ++i) {
    EXPECT_NEAR(run[i].loss, golden_[i].loss, kExact * golden_[i].loss) << "step " << i + 1;
    EXPECT_NEAR(run[i].grad_norm, golden_[i].grad_norm, kExact * golden_[i].grad_norm) << "step " << i + 1;
  }
  RecordProperty("distance", absl::StrCat(Distance(run, golden_)));
  EXPECT_LE(Distance(run, golden_), kExact);
}

TEST_P(Golden, TwoThreadsFollowItToo) { EXPECT_LE(Distance(Train(spec_, {.threads = 2}), golden_), kExact); }

// bf16 keeps 8 bits of a number, so one rounding is 0.4 %; losses average many of them, norms fewer.
TEST_P(Golden, BF16StaysInItsBand) {
  spec_.precision.compute = recipe::Compute::kBF16;
  std::vector<Step> run = Train(spec_);
  for (size_t i = 0; i < run.size(); ++i) {
    EXPECT_NEAR(run[i].loss, golden_[i].loss, 0.005 * golden_[i].loss) << "step " << i + 1;
    EXPECT_NEAR(run[i].grad_norm, golden_[i].grad_norm, 0.05 * golden_[i].grad_norm) << "step " << i + 1;
  }
}

TEST_P(Golden, TheRunIsHardEnough) {
  EXPECT_LT(golden_.back().loss, 0.9 * golden_.front().loss) << "it should learn";
  for (const Step& s : golden_) EXPECT_GT(s.grad_norm, spec_.optimizer.clip_norm) << "clipping should act";
  EXPECT_LT(golden_.front().global_batch, golden_.back().global_batch);
  EXPECT_EQ(golden_.back().global_batch, 4 * spec_.batch.micro) << "accumulation of 4";
}

// The test of the test: each of these is a small slip that a looser check would let through.

TEST_P(Golden, DecayingTheNormsIsSeen) {
  auto edit = [](plan::ModelCard& card) {
    for (plan::ParamSpec& p : card.params) p.decay |= p.role == plan::Role::kNormGain;
  };
  EXPECT_GT(Distance(Train(spec_, {.edit_card = edit}), golden_), 3 * kExact);
}

TEST_P(Golden, AnotherEpsilonOfTheNormsIsSeen) {
  spec_.model.norm_eps = 1e-6;
  EXPECT_GT(Distance(Train(spec_), golden_), 3 * kExact);
}

TEST(GoldenLlama, AnotherBaseOfTheRotationIsSeen) {
  recipe::RecipeSpec spec = LoadRecipe("llama");
  spec.model.keys.As<models::LlamaKeys>().rope_base = 10500;
  EXPECT_GT(Distance(Train(spec), LoadGolden("llama")), 3 * kExact);
}

TEST(GoldenGpt2, TheOtherGeluIsSeen) {
  recipe::RecipeSpec spec = LoadRecipe("gpt2");
  spec.model.activation = recipe::Activation::kGeluErf;
  EXPECT_GT(Distance(Train(spec), LoadGolden("gpt2")), 3 * kExact);
}

INSTANTIATE_TEST_SUITE_P(Families, Golden, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace galley::golden
