// A family and an exporter that the product does not have. Their files stand here; the product's own lists
// (families.cc, makers.cc, exporter_kinds.cc) stand here a second time with the toys' lines, and the linker
// takes these instead. Everything else is the product's, untouched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/comm/group.h"
#include "runtime/models/describe.h"
#include "runtime/models/families.h"
#include "runtime/prepare/prepare.h"
#include "runtime/prepare/training_memory.h"
#include "runtime/recipe/schema.h"
#include "runtime/train/step.h"
#include "service/node/sinks.h"
#include "tests/toys/toy/keys.h"
#include "tests/toys/toy_exporter.h"

namespace galley {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

prepare::PrepareResult Prepared(const std::string& keys) {
  const std::string yaml = R"(apiVersion: galley/v1
kind: Recipe
metadata: {name: small}
model: {family: toy, layers: 2, hidden: 32, heads: 4, ffn: 48, context: 12, vocab: 40, )" +
                           keys + R"(}
precision: {compute: f32}
data: {kind: dummy, tokenizer: {kind: gpt2, vocab: v.json, merges: m.txt}}
batch: {micro: 2, global: 2}
train: {until: 10 steps}
schedule: {lr: {peak: 1e-2, decay: constant}}
)";
  return prepare::Prepare(recipe::RecipeText{.canonical = yaml, .root = "/", .origins_json = ""});
}

TEST(ToyFamily, HasItsKeysInTheRecipeAndItsDocs) {
  EXPECT_EQ(recipe::FormatFaults(Prepared("sharing: 2").faults), "");
  EXPECT_THAT(recipe::FormatFaults(Prepared("sharing: 3").faults),
              HasSubstr("model.heads: 4 is not divisible by model.sharing = 3"));
  EXPECT_THAT(
      recipe::FormatFaults(Prepared("kv_heads: 2").faults),
      HasSubstr("recipe.yaml:4:98: error: model.kv_heads: does not apply here; only with family: llama"));
  EXPECT_EQ(recipe::Explain("model.sharing", models::RecipeFamilies())->applies, "family: toy");
}

TEST(ToyFamily, IsPlannedAndTrains) {
  const prepare::PrepareResult result = Prepared("sharing: 2");
  ASSERT_TRUE(result.prepared) << recipe::FormatFaults(result.faults);
  EXPECT_EQ(result.prepared->plan.card.family, "toy");
  const recipe::RecipeSpec& spec = result.prepared->spec;
  const plan::ModelCard card = models::Describe(spec);
  const std::unique_ptr<comm::Group> self = comm::MakeSelfGroup();
  const auto groups = parallel::Groups::Split(self.get(), {.data = 1});
  ASSERT_TRUE(groups.ok()) << groups.status();
  auto stepper = train::Stepper::Create(spec, card, *groups, 1);
  ASSERT_TRUE(stepper.ok()) << stepper.status();
  std::vector<int32_t> tokens(24), labels(24);
  for (int32_t i = 0; i < 24; ++i) {
    tokens[static_cast<size_t>(i)] = i * 7 % 40;
    labels[static_cast<size_t>(i)] = (i * 7 + 7) % 40;
  }
  const auto next = [&](int64_t) -> absl::StatusOr<train::TokenBatch> {
    return train::TokenBatch{View(tokens.data(), DType::kI32, {2, 12}),
                             View(labels.data(), DType::kI32, {2, 12})};
  };
  std::vector<double> losses;
  for (int i = 0; i < 10; ++i) {
    const auto step = (*stepper)->Run({.micro_batches = 1, .lr = 1e-2, .next = next});
    ASSERT_TRUE(step.ok()) << step.status();
    losses.push_back(step->loss);
  }
  EXPECT_LT(losses.back(), losses.front() / 2);
}

// Every family has an engine: makers.cc lists what families.cc lists.
TEST(Families, EachTrainsOrIsNotListed) {
  for (const recipe::Family* family : models::RecipeFamilies()) {
    recipe::RecipeSpec spec;
    spec.model = {.layers = 1, .hidden = 8, .heads = 2, .ffn = 8, .context = 4, .vocab = 16};
    recipe::SetFamily(*family, spec.model);
    if (family->finish != nullptr) family->finish(spec.model);
    spec.precision.compute = recipe::Compute::kF32;
    EXPECT_GT(prepare::MeasureTraining(spec, models::Describe(spec), 1).total(), 0) << family->name;
  }
}

TEST(ToyExporter, GetsTheSteps) {
  const TempDir dir;
  v1::EnsureAttempt ensure;
  ensure.set_run_dir(dir.path());
  ensure.add_exporters()->set_kind(service::kToyExporter);
  std::vector<std::string> problems;
  const auto sinks = service::RunSinks::Open(
      ensure, "node", [&](const std::string& problem) { problems.push_back(problem); });
  for (int64_t step : {1, 2}) {
    metrics::StepRecord record;
    record.Set<"step">(step);
    sinks->Push(record, nullptr);
  }
  sinks->Drain();
  EXPECT_THAT(service::ToySteps(), ElementsAre(1, 2));
  EXPECT_TRUE(problems.empty());
}

}  // namespace
}  // namespace galley
