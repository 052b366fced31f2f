#include "runtime/generate/generator.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/rng.h"
#include "runtime/models/describe.h"
#include "runtime/models/families.h"
#include "runtime/models/llama/keys.h"
#include "runtime/tensor/guarded_memory_for_test.h"

namespace galley::generate {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

recipe::RecipeSpec Spec(const recipe::Family& family, int64_t context, recipe::Compute compute) {
  recipe::RecipeSpec spec;
  spec.model = {.layers = 3, .hidden = 32, .heads = 4, .ffn = 64, .context = context, .vocab = 150};
  recipe::SetFamily(family, spec.model);
  if (&family == &models::LlamaFamily()) spec.model.keys.As<models::LlamaKeys>().kv_heads = 2;
  spec.precision.compute = compute;
  return spec;
}

// Every weight is drawn, so that an untouched one would be seen; equal for equal shapes.
std::unique_ptr<Generator> Make(const recipe::Family& family = models::LlamaFamily(), int64_t context = 40,
                                recipe::Compute compute = recipe::Compute::kF32, const Device& device = {}) {
  const recipe::RecipeSpec spec = Spec(family, context, compute);
  auto generator = Generator::Create(spec, models::Describe(spec), 1, device);
  uint64_t stream = 0;
  for (const checkpoint::Item& item : generator->WeightItems()) {
    const Philox normal(3, ++stream);
    uint64_t i = 0;
    std::vector<float> weights(static_cast<size_t>(item.view.elements()));
    for (float& w : weights) w = static_cast<float>(0.2 * normal.Normal(i++));
    Copy(generator->stream(), View(weights.data(), DType::kF32, item.view.shape), item.view);
  }
  generator->Loaded();
  return generator;
}

std::vector<int32_t> Text(int32_t count) {
  std::vector<int32_t> text;
  for (int32_t i = 0; i < count; ++i) text.push_back(i * i % 150);
  return text;
}

std::vector<float> Logits(Generator& generator, std::span<const int32_t> text) {
  auto logits = generator.Logits(text);
  EXPECT_TRUE(logits.ok()) << logits.status();
  return {logits->begin(), logits->end()};
}

auto Near(const std::vector<float>& expected, float tolerance) {
  return testing::Pointwise(testing::FloatNear(tolerance), expected);
}

TEST(Generator, PaddingDoesNotReachTheLogits) {
  // Five tokens padded to 7 positions, and to 32.
  auto narrow = Make(models::LlamaFamily(), 7), wide = Make(models::LlamaFamily(), 64);
  EXPECT_THAT(Logits(*narrow, Text(5)), Near(Logits(*wide, Text(5)), 1e-4F));
  EXPECT_EQ(Logits(*wide, Text(5)).size(), 150u);
}

TEST(Generator, OnADeviceThatTheHostCannotTouch) {
  GuardedMemory memory;
  for (recipe::Compute compute : {recipe::Compute::kF32, recipe::Compute::kBF16}) {
    auto there = Make(models::LlamaFamily(), 40, compute, {.memory = &memory});
    EXPECT_EQ(Logits(*there, Text(9)), Logits(*Make(models::LlamaFamily(), 40, compute), Text(9)));
  }
}

TEST(Generator, EachCallStandsAlone) {
  for (const recipe::Family* family : models::RecipeFamilies()) {
    auto generator = Make(*family);
    const std::vector<float> first = Logits(*generator, Text(9));
    EXPECT_NE(Logits(*generator, Text(35)), first);
    EXPECT_EQ(Logits(*generator, Text(9)), first);
  }
}

TEST(Generator, OnlyTheLastContextCounts) {
  auto generator = Make();
  const std::vector<int32_t> text = Text(60);
  EXPECT_EQ(Logits(*generator, text), Logits(*generator, std::span(text).last(40)));
}

TEST(Generator, BF16IsCloseToF32) {
  auto f32 = Make(), bf16 = Make(models::LlamaFamily(), 40, recipe::Compute::kBF16);
  EXPECT_THAT(Logits(*bf16, Text(20)), Near(Logits(*f32, Text(20)), 0.15F));
}

TEST(Generator, RefusesNoTextAndUnknownIds) {
  auto generator = Make();
  EXPECT_THAT(generator->Logits({}).status().message(), HasSubstr("give a prompt"));
  const std::vector<int32_t> bad = {1, 150};
  EXPECT_THAT(generator->Logits(bad).status().message(), HasSubstr("token id 150: the vocabulary has 150"));
}

TEST(Continue, DoesNotDependOnHowMuchWasPrompt) {
  auto generator = Make();
  const Sampling sampling{.temperature = 0.8, .top_k = 20, .seed = 4};
  auto on = [](int32_t) { return true; };
  std::vector<int32_t> whole = Text(3), parts = Text(3);
  ASSERT_TRUE(Continue(*generator, sampling, 10, whole, on).ok());
  ASSERT_TRUE(Continue(*generator, sampling, 6, parts, on).ok());
  ASSERT_TRUE(Continue(*generator, sampling, 4, parts, on).ok());
  EXPECT_EQ(whole.size(), 13u);
  EXPECT_EQ(parts, whole);
}

TEST(Continue, StopsWhenToldAndChecksItsOptions) {
  auto generator = Make();
  std::vector<int32_t> text = Text(3), seen;
  auto until_two = [&](int32_t token) {
    seen.push_back(token);
    return seen.size() < 2;
  };
  ASSERT_TRUE(Continue(*generator, {}, 10, text, until_two).ok());
  EXPECT_THAT(seen, ElementsAreArray(text.begin() + 3, text.end()));
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(Continue(*generator, {.top_p = 2}, 1, text, until_two).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace galley::generate
