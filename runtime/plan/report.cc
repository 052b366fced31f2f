#include "runtime/plan/report.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/match.h"

namespace galley::plan {
namespace {

const char* GroupOf(const ParamSpec& param) {
  switch (param.role) {
    case Role::kEmbedding:
      return "embedding";
    case Role::kPosition:
      return "positions";
    case Role::kHead:
      return "head";
    case Role::kBias:
      return "biases";
    case Role::kNormGain:
    case Role::kNormBias:
      return "norms";
    case Role::kMatrix:
      break;
  }
  return absl::StrContains(param.name, ".attn.") ? "attention" : "mlp";
}

}  // namespace

std::vector<ParamGroup> GroupsOf(const ModelCard& card) {
  std::vector<ParamGroup> groups;
  for (const ParamSpec& param : card.params) {
    const std::string name = GroupOf(param);
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const ParamGroup& g) { return g.name == name && g.decay == param.decay; });
    if (found == groups.end()) found = groups.insert(groups.end(), {name, 0, 0, param.decay});
    ++found->tensors;
    found->parameters += param.elements();
  }
  return groups;
}

std::vector<NamedStep> NamedSteps(const Plan& plan) {
  std::vector<NamedStep> steps;
  auto add = [&](const char* name, int64_t step) {
    if (step < 0 || step >= plan.total_steps) return;
    const int64_t samples = plan.batch.SamplesAfter(step);
    steps.push_back({name, step, samples, plan.batch.TokensAfter(step), plan.learning_rate.LrAt(samples)});
  };
  const LearningRate& lr = plan.learning_rate;
  add("first step", 0);
  if (lr.warmup_samples() > 0) add("warm-up ends", plan.batch.StepAtSamples(lr.warmup_samples()));
  if (plan.batch.stages().size() > 1) add("full batch begins", plan.batch.stages().back().first_step);
  if (plan.total_steps > 2) add("half of the run", plan.total_steps / 2);
  if (lr.anneal_samples() > 0) {
    add("final fall begins", plan.batch.StepAtSamples(lr.decay_samples() - lr.anneal_samples()));
  }
  if (lr.decays()) add("decay ends", plan.batch.StepAtSamples(lr.decay_samples()));
  if (plan.total_steps > 1) add("last step", plan.total_steps - 1);
  std::stable_sort(steps.begin(), steps.end(),
                   [](const NamedStep& a, const NamedStep& b) { return a.step < b.step; });
  return steps;
}

std::vector<int64_t> LegalWorlds(const Plan& plan, int64_t global_batch) {
  std::vector<int64_t> worlds = LegalDataParallel(global_batch, plan.batch.micro());
  for (int64_t& world : worlds) world *= plan.mesh.tensor * plan.mesh.pipeline;
  return worlds;
}

std::vector<int64_t> LegalWorldsOfRun(const Plan& plan) {
  int64_t common = 0;
  for (const BatchStage& stage : plan.batch.stages()) {
    if (stage.first_step < plan.total_steps) common = std::gcd(common, stage.global_batch);
  }
  return LegalWorlds(plan, common);
}

const char* ComputeName(recipe::Compute compute) {
  switch (compute) {
    case recipe::Compute::kF32:
      return "f32";
    case recipe::Compute::kBF16:
      return "bf16";
    case recipe::Compute::kFP16:
      return "fp16";
    case recipe::Compute::kFP8:
      break;
  }
  return "fp8";
}

}  // namespace galley::plan
