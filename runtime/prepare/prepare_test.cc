#include "runtime/prepare/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/models/describe.h"
#include "tests/support/paths.h"

namespace galley::prepare {
namespace {

using testing::HasSubstr;

std::string Recipes(const std::string& name) { return SourceDir() + "/recipes/" + name; }

plan::Plan PlanOf(const std::string& name, const std::vector<std::string>& sets = {}) {
  PrepareResult result = PrepareFile(Recipes(name), sets);
  EXPECT_TRUE(result.prepared.has_value()) << recipe::FormatFaults(result.faults);
  return result.prepared->plan;
}

int64_t Parameters(const std::string& name, const std::vector<std::string>& sets) {
  return PlanOf(name, sets).card.unpadded_parameters();
}

// Counts that are known from papers and from other programs.
TEST(Describe, ParameterCountsOfKnownModels) {
  EXPECT_EQ(Parameters("gpt2_124m.yaml", {}), 124439808);
  EXPECT_EQ(Parameters("gpt2_124m.yaml",
                       {"model.layers=24", "model.hidden=1024", "model.heads=16", "model.ffn=4096"}),
            354823168);
  EXPECT_EQ(Parameters("gpt2_13b_tr1.yaml", {}), 12853386240);
  const std::vector<std::string> llama2_7b = {"model.layers=32",   "model.hidden=4096", "model.heads=32",
                                              "model.kv_heads=32", "model.ffn=11008",   "model.vocab=32000"};
  EXPECT_EQ(Parameters("quickstart.yaml", llama2_7b), 6738415616);
  EXPECT_EQ(Parameters("quickstart.yaml", {"model.layers=32", "model.hidden=4096", "model.heads=32",
                                           "model.kv_heads=8", "model.ffn=14336", "model.vocab=128256"}),
            8030261248);
  EXPECT_EQ(Parameters("quickstart.yaml",
                       {"model.layers=16", "model.hidden=2048", "model.heads=32", "model.kv_heads=8",
                        "model.ffn=8192", "model.vocab=128256", "model.tied_embeddings=true"}),
            1235814400);
}

TEST(Describe, VocabularyIsPadded) {
  EXPECT_EQ(models::PaddedVocab(50257, 1), 50304);
  EXPECT_EQ(models::PaddedVocab(50257, 2), 50432);
  EXPECT_EQ(models::PaddedVocab(256, 1), 256);
  EXPECT_EQ(models::PaddedVocab(257, 1), 384);
  EXPECT_EQ(models::PaddedVocab(65, 1), 65);
}

// Decay and initial weights go by role: matrices and embeddings decay, the two matrices that write to the
// residual stream begin smaller, norms and biases begin at one and zero.
TEST(Describe, TablesGoByRole) {
  for (const char* name : {"gpt2_124m.yaml", "quickstart.yaml"}) {
    const plan::Plan plan = PlanOf(name);
    const auto& params = plan.card.params;
    EXPECT_EQ(params.front().role, plan::Role::kEmbedding);
    for (const plan::ParamSpec& p : params) {
      EXPECT_EQ(p.decay, p.shape.size() == 2) << p.name;
      EXPECT_EQ(p.init == plan::Init::kNormal, p.shape.size() == 2) << p.name;
      const bool writes_residual = testing::Matches(HasSubstr("attn.out.weight"))(p.name) ||
                                   testing::Matches(HasSubstr("mlp.down.weight"))(p.name);
      const double layers = name[0] == 'g' ? 12 : 6;
      if (p.shape.size() == 2) {
        EXPECT_DOUBLE_EQ(p.std, writes_residual ? 0.02 / std::sqrt(2 * layers) : 0.02) << p.name;
      }
    }
  }
}

// Tensor parallelism cuts each of the fused matrices by itself.
TEST(Describe, FusedMatricesDeclareTheirParts) {
  const auto names = [](const plan::ParamSpec& param) {
    std::string out;
    for (const plan::ParamPart& part : param.parts) out += part.name + " ";
    return out;
  };
  for (const char* name : {"gpt2_124m.yaml", "quickstart.yaml"}) {
    for (const plan::ParamSpec& p : PlanOf(name).card.params) {
      int64_t rows = 0;
      for (const plan::ParamPart& part : p.parts) rows += part.rows;
      EXPECT_EQ(rows, p.shape[0]) << p.name;
      const bool qkv = p.name.find("attn.qkv") != std::string::npos;
      const bool gate_up = p.name.find("mlp.gate_up") != std::string::npos;
      EXPECT_EQ(names(p), qkv ? "q k v " : gate_up ? "gate up " : " ") << p.name;
    }
  }
}

// Formula 6N + 6 L h T holds for a plain GPT, with N without positions, norms and biases.
TEST(Describe, FlopsOfAPlainGpt) {
  const plan::Plan plan = PlanOf("gpt2_124m.yaml");
  const double n = 12.0 * 12 * 768 * 768 + 50257.0 * 768;
  EXPECT_DOUBLE_EQ(plan.card.flops_per_token.total(), 6 * n + 6.0 * 12 * 768 * 1024);
}

TEST(Prepare, PlanOfTr1HasThePublishedNumbers) {
  const plan::Plan plan = PlanOf("gpt2_13b_tr1.yaml");
  EXPECT_EQ(plan.total_steps, 311541);
  EXPECT_EQ(plan.batch.StepAtSamples(plan.learning_rate.warmup_samples()), 8641);
  EXPECT_EQ(plan.batch.stages().back().first_step, 23456);
  EXPECT_EQ(plan.checkpoints.SaveSteps().size(), 269u);
  EXPECT_EQ(plan.mesh.world(), 128);
}

// What trainctl, the controller and a rank each compute from the same values must agree.
TEST(Prepare, CanonicalTextGivesTheSamePlan) {
  for (const char* name : {"gpt2_124m.yaml", "quickstart.yaml", "gpt2_13b_tr1.yaml"}) {
    const PrepareResult first = PrepareFile(Recipes(name), {"train.seed=7"});
    ASSERT_TRUE(first.prepared);
    const PrepareResult again = Prepare(first.text);
    ASSERT_TRUE(again.prepared);
    EXPECT_EQ(plan::ToJson(first.prepared->plan), plan::ToJson(again.prepared->plan));
    EXPECT_EQ(recipe::FormatFaults(first.faults), recipe::FormatFaults(again.faults));
    EXPECT_EQ(again.text.origins_json, first.text.origins_json);
    // Parsed with the text, for the controller's own checks.
    ASSERT_NE(again.origins.Find("metadata.name"), nullptr) << name;
    EXPECT_EQ(again.origins.Find("metadata.name")->file, Recipes(name));
  }
}

TEST(Prepare, IdentityIsTheModelAndTheDataNotTheMachines) {
  const std::string hash = PlanOf("quickstart.yaml").recipe_hash;
  for (const char* same : {"parallelism.data=1", "checkpoint.keep.last=9", "train.until=900 steps",
                           "metadata.name=other", "batch.micro=4", "precision.compute=f32"}) {
    EXPECT_EQ(PlanOf("quickstart.yaml", {same}).recipe_hash, hash) << same;
  }
  for (const char* other : {"model.ffn=705", "data.seed=2", "train.seed=2", "data.split=[90, 10, 0]"}) {
    EXPECT_NE(PlanOf("quickstart.yaml", {other}).recipe_hash, hash) << other;
  }
}

TEST(Prepare, TheInventoryMustHoldTheMesh) {
  const PrepareResult file = PrepareFile(Recipes("quickstart.yaml"), {});
  plan::Inventory inventory = plan::InventoryOf(file.prepared->spec);
  inventory.threads_per_rank = 3;
  const PrepareResult other = Prepare(file.text, inventory);
  ASSERT_TRUE(other.prepared);
  EXPECT_NE(other.prepared->plan.hash, file.prepared->plan.hash);
  // The controller takes its plan to the nodes it has found; the rank plans for them from the start.
  EXPECT_EQ(plan::ToJson(OnMachines(*file.prepared, inventory)), plan::ToJson(other.prepared->plan));
  inventory.ranks_per_node = 3;
  const PrepareResult wrong = Prepare(file.text, inventory);
  EXPECT_FALSE(wrong.prepared);
  EXPECT_THAT(recipe::FormatFaults(wrong.faults), HasSubstr("the nodes hold 3 ranks, the recipe asks for 2"));
}

TEST(Prepare, WhatThisVersionCannotRunIsRefusedOnSubmit) {
  EXPECT_TRUE(recipe::NotBuiltErrors(PrepareFile(Recipes("quickstart.yaml"), {}).faults).empty());
  const auto errors = recipe::NotBuiltErrors(PrepareFile(Recipes("gpt2_13b_tr1.yaml"), {}).faults);
  EXPECT_EQ(errors.size(), 8u);
  EXPECT_THAT(
      recipe::FormatFaults(errors),
      HasSubstr("gpt2_13b_tr1.yaml:18:12: error: precision.compute: fp16 is not built in this version"));
}

}  // namespace
}  // namespace galley::prepare
