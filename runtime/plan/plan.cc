#include "runtime/plan/plan.h"

#include "runtime/base/check.h"
#include "runtime/base/hash.h"
#include "runtime/plan/report.h"
#include "runtime/recipe/identity.h"

namespace galley::plan {

int64_t CheckpointBytes(const ModelCard& card) { return 12 * card.parameters(); }

Plan Build(const recipe::RecipeSpec& spec, const ModelCard& card, const Memory& memory,
           const Inventory& inventory) {
  Plan plan;
  plan.name = spec.metadata.name;
  plan.recipe_hash = recipe::IdentityHash(spec);
  plan.mesh = {spec.parallelism.data, spec.parallelism.tensor, spec.parallelism.pipeline};
  plan.card = card;
  plan.compute = spec.precision.compute;
  plan.batch = BatchRamp(spec.batch, spec.model.context);
  plan.total_steps = plan.batch.TotalSteps(spec.train.until);
  plan.total_samples = plan.batch.SamplesAfter(plan.total_steps);
  plan.total_tokens = plan.batch.TokensAfter(plan.total_steps);
  plan.learning_rate = LearningRate(spec.schedule.lr, spec.train.until, plan.batch);
  plan.checkpoints = CheckpointSchedule(spec.checkpoint, plan.batch, plan.total_steps);
  plan.evaluation = EvaluationSchedule(spec.evaluation, plan.batch, plan.total_steps);
  plan.checkpoint_bytes = CheckpointBytes(card);
  if (spec.launcher.slurm) plan.jobs = spec.launcher.slurm->chain;
  const double flops = card.flops_per_token.total();
  plan.training_flops = flops * static_cast<double>(plan.total_tokens);
  plan.validation_sets = recipe::ValidationSets(spec.data);
  // A forward pass is a third of a training step's work.
  plan.evaluation_flops = flops / 3 * static_cast<double>(plan.evaluation.Count() * plan.validation_sets) *
                          static_cast<double>(plan.evaluation.samples()) *
                          static_cast<double>(spec.model.context);
  return OnMachines(std::move(plan), memory, inventory);
}

Plan OnMachines(Plan plan, const Memory& memory, const Inventory& inventory) {
  CHECK_EQ(inventory.ranks(), plan.mesh.world());
  plan.memory = memory;
  plan.memory.snapshot = CheckpointBytes(plan.card) / plan.mesh.world();
  plan.inventory = inventory;
  plan.hash.clear();  // ToJson writes it where there is one, and the hash is over the text without it
  plan.hash = Hex(Hash64(ToJson(plan)));
  return plan;
}

}  // namespace galley::plan
