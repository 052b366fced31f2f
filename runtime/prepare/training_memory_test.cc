#include "runtime/prepare/training_memory.h"

#include "gtest/gtest.h"
#include "runtime/models/describe.h"
#include "runtime/models/gpt2/keys.h"
#include "runtime/models/llama/keys.h"

namespace galley::prepare {
namespace {

recipe::RecipeSpec Spec(int64_t layers = 8) {
  recipe::RecipeSpec spec;
  spec.model = {.layers = layers, .hidden = 256, .heads = 8, .ffn = 704, .context = 256, .vocab = 1024};
  recipe::SetFamily(models::LlamaFamily(), spec.model);
  spec.model.keys.As<models::LlamaKeys>().kv_heads = 4;
  spec.batch.micro = 4;
  return spec;
}

plan::Memory Measure(const recipe::RecipeSpec& spec, int64_t threads = 1) {
  return MeasureTraining(spec, models::Describe(spec), threads);
}

TEST(MeasureTraining, CountsStateByParameters) {
  recipe::RecipeSpec spec = Spec();
  const int64_t n = models::Describe(spec).parameters();
  const plan::Memory bf16 = Measure(spec);
  EXPECT_EQ(bf16.weights, 2 * n);
  EXPECT_EQ(bf16.master, 4 * n);
  EXPECT_EQ(bf16.gradients, 4 * n);
  EXPECT_EQ(bf16.optimizer, 8 * n);
  EXPECT_EQ(bf16.snapshot, 0);
  spec.precision.compute = recipe::Compute::kF32;
  EXPECT_EQ(Measure(spec).weights, 0);
  EXPECT_GT(Measure(spec).activations, bf16.activations);
}

TEST(MeasureTraining, ThreadsTakeScratchAndUnknownOnesCountAsOne) {
  EXPECT_GT(Measure(Spec(), 64).activations, Measure(Spec(), 1).activations);
  EXPECT_EQ(Measure(Spec(), 0).activations, Measure(Spec(), 1).activations);
}

TEST(MeasureTraining, RecomputationKeepsTheResidualStreamAlone) {
  recipe::RecipeSpec spec = Spec();
  const int64_t all = Measure(spec).activations;
  spec.recompute.mode = recipe::RecomputeMode::kFull;
  EXPECT_LT(Measure(spec).activations, all / 2);
}

// The first of n stages has n micro-batches in flight, each through an n-th of the layers.
TEST(MeasureTraining, StagesShareParametersAndNotActivations) {
  recipe::RecipeSpec spec = Spec();
  const plan::Memory one = Measure(spec);
  spec.parallelism.pipeline = 4;
  const plan::Memory four = Measure(spec);
  EXPECT_LT(four.master, one.master / 2);
  EXPECT_GT(four.activations, one.activations / 2);
}

TEST(MeasureTraining, TensorRanksShareBoth) {
  recipe::RecipeSpec spec = Spec();
  const plan::Memory one = Measure(spec);
  spec.parallelism.tensor = 2;
  const plan::Memory two = Measure(spec);
  EXPECT_LT(two.master, one.master * 6 / 10);
  EXPECT_LT(two.activations, one.activations * 8 / 10);
}

TEST(MeasureTraining, SizesBeyondEveryMachineAreBounded) {
  recipe::RecipeSpec spec = Spec(10000);
  spec.model.hidden = 1 << 20;
  spec.model.ffn = 1 << 22;
  spec.model.context = 1 << 20;
  spec.batch.micro = 1'000'000;
  EXPECT_EQ(Measure(spec).total(), int64_t{1} << 62);
}

}  // namespace
}  // namespace galley::prepare
