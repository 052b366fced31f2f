// What the plan says of memory, by arithmetic alone, against what the engine lays out. The scratch of ops is
// in neither: it grows as they first run.
#include "gtest/gtest.h"
#include "runtime/models/describe.h"
#include "runtime/models/gpt2/keys.h"
#include "runtime/models/llama/keys.h"
#include "runtime/train/step.h"

namespace galley {
namespace {

recipe::RecipeSpec Spec(recipe::Model model, recipe::Compute compute, int64_t micro) {
  recipe::RecipeSpec spec;
  spec.model = model;
  spec.precision.compute = compute;
  spec.batch = {.micro = micro, .global = micro, .rampup = {}};
  return spec;
}

double MeasuredOverPlanned(const recipe::RecipeSpec& spec) {
  const plan::ModelCard card = models::Describe(spec);
  const int64_t state = card.parameters() * (spec.precision.compute == recipe::Compute::kF32 ? 16 : 18);
  const int64_t planned = state + spec.batch.micro * card.activation_bytes_per_sample;
  return static_cast<double>(train::Stepper::MemoryBytes(spec, card)) / static_cast<double>(planned);
}

TEST(MemoryEstimate, IsWithinAHundredthOfWhatIsLaid) {
  const recipe::Model gpt2_124m = {.family = &models::Gpt2Family(),
                                   .layers = 12,
                                   .hidden = 768,
                                   .heads = 12,
                                   .ffn = 3072,
                                   .context = 1024,
                                   .vocab = 50257,
                                   .activation = recipe::Activation::kGeluTanh,
                                   .keys = models::Gpt2Keys{}};
  const recipe::Model llama_small = {.family = &models::LlamaFamily(),
                                     .layers = 6,
                                     .hidden = 256,
                                     .heads = 8,
                                     .ffn = 704,
                                     .context = 256,
                                     .vocab = 256,
                                     .keys = models::LlamaKeys{.kv_heads = 4}};
  for (recipe::Compute compute : {recipe::Compute::kF32, recipe::Compute::kBF16}) {
    EXPECT_NEAR(MeasuredOverPlanned(Spec(gpt2_124m, compute, 1)), 1, 0.01);
    EXPECT_NEAR(MeasuredOverPlanned(Spec(gpt2_124m, compute, 8)), 1, 0.01);
    EXPECT_NEAR(MeasuredOverPlanned(Spec(llama_small, compute, 8)), 1, 0.01);
  }
}

}  // namespace
}  // namespace galley
