#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "runtime/plan/report.h"

namespace galley::plan {
namespace {

using Json = nlohmann::ordered_json;

// Twelve digits: the last bits of cos, pow and sqrt may
// differ between C libraries, and the plan's hash must not.
double Rounded(double value) { return std::strtod(absl::StrFormat("%.12g", value).c_str(), nullptr); }

Json ModelJson(const Plan& plan) {
  Json groups = Json::array();
  for (const ParamGroup& g : GroupsOf(plan.card)) {
    groups.push_back(
        {{"group", g.name}, {"tensors", g.tensors}, {"parameters", g.parameters}, {"weight_decay", g.decay}});
  }
  const Flops& f = plan.card.flops_per_token;
  return {{"family", plan.card.family},
          {"compute", ComputeName(plan.compute)},
          {"parameters", plan.card.unpadded_parameters()},
          {"parameters_padded", plan.card.parameters()},
          {"vocab", plan.card.vocab},
          {"padded_vocab", plan.card.padded_vocab},
          {"groups", groups},
          {"flops_per_token",
           {{"formula", kFlopsFormula},
            {"attention_projections", Rounded(f.attention_projections)},
            {"attention_scores", Rounded(f.attention_scores)},
            {"mlp", Rounded(f.mlp)},
            {"head", Rounded(f.head)},
            {"total", Rounded(f.total())}}}};
}

Json BatchJson(const Plan& plan) {
  Json stages = Json::array();
  for (const BatchStage& stage : plan.batch.stages()) {
    if (stage.first_step >= plan.total_steps) break;
    stages.push_back({{"global_batch", stage.global_batch},
                      {"first_step", stage.first_step},
                      {"first_samples", stage.first_samples},
                      {"first_tokens", stage.first_samples * plan.batch.context()},
                      {"micro_batches", plan.batch.MicroBatchesAt(stage.first_samples, plan.mesh.data)},
                      {"legal_world_sizes", LegalWorlds(plan, stage.global_batch)}});
  }
  return {{"micro", plan.batch.micro()}, {"legal_world_sizes", LegalWorldsOfRun(plan)}, {"stages", stages}};
}

Json StepsJson(const Plan& plan) {
  Json steps = Json::array();
  for (const NamedStep& s : NamedSteps(plan)) {
    steps.push_back({{"name", s.name},
                     {"step", s.step},
                     {"samples", s.samples},
                     {"tokens", s.tokens},
                     {"lr", Rounded(s.lr)}});
  }
  return steps;
}

Json CheckpointsJson(const Plan& plan) {
  const std::vector<int64_t> saves = plan.checkpoints.SaveSteps();
  Json phases = Json::array();
  for (const CheckpointSchedule::Phase& phase : plan.checkpoints.phases()) {
    const auto begin = std::lower_bound(saves.begin(), saves.end(), phase.first_step);
    const auto end = std::upper_bound(saves.begin(), saves.end(), phase.last_step);
    phases.push_back(
        {{"first_step", phase.first_step}, {"last_step", phase.last_step}, {"count", end - begin}});
  }
  // The product is a double: a million checkpoints of a large model pass 64 bits.
  const int64_t most = plan.checkpoints.MostOnDisk();
  return {{"count", saves.size()},
          {"phases", phases},
          {"bytes_each", plan.checkpoint_bytes},
          {"most_on_disk", most},
          {"most_bytes_on_disk", static_cast<double>(most) * static_cast<double>(plan.checkpoint_bytes)}};
}

Json Body(const Plan& plan) {
  const Memory& m = plan.memory;
  return {{"version", 1},
          {"name", plan.name},
          {"recipe_hash", plan.recipe_hash},
          {"steps_count_from", 0},
          {"run",
           {{"steps", plan.total_steps},
            {"samples", plan.total_samples},
            {"tokens", plan.total_tokens},
            {"flops", Rounded(plan.training_flops)},
            {"jobs", plan.jobs}}},
          {"model", ModelJson(plan)},
          {"parallelism",
           {{"data", plan.mesh.data},
            {"tensor", plan.mesh.tensor},
            {"pipeline", plan.mesh.pipeline},
            {"world", plan.mesh.world()}}},
          {"inventory", Json::parse(InventoryToJson(plan.inventory))},
          {"bytes_per_rank",
           {{"weights", m.weights},
            {"master", m.master},
            {"gradients", m.gradients},
            {"optimizer", m.optimizer},
            {"activations_estimate", m.activations},
            {"snapshot", m.snapshot},
            {"total", m.total()}}},
          {"batch", BatchJson(plan)},
          {"learning_rate", StepsJson(plan)},
          {"checkpoints", CheckpointsJson(plan)},
          {"evaluation",
           {{"count", plan.evaluation.Count()},
            {"samples", plan.evaluation.samples()},
            {"sets", plan.validation_sets},
            {"flops", Rounded(plan.evaluation_flops)},
            {"share", Rounded(plan.evaluation_flops / (plan.evaluation_flops + plan.training_flops))}}}};
}

}  // namespace

std::string ToJson(const Plan& plan) {
  Json json = Body(plan);
  if (!plan.hash.empty()) json["plan_hash"] = plan.hash;
  return json.dump(2) + "\n";
}

}  // namespace galley::plan
