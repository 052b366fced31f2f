#include "runtime/plan/plan.h"

#include <algorithm>

#include "runtime/base/check.h"
#include "runtime/base/hash.h"
#include "runtime/plan/report.h"
#include "runtime/plan/sharding.h"
#include "runtime/recipe/identity.h"

namespace galley::plan {
namespace {

// Parameters of the fullest rank.
int64_t RankParameters(const recipe::RecipeSpec& spec, const ModelCard& card) {
  const int64_t stages = spec.parallelism.pipeline, tensor = spec.parallelism.tensor;
  std::vector<int64_t> sums(static_cast<size_t>(stages), 0);
  for (const ParamSpec& param : card.params) {
    int64_t elements = 0;
    // Where a part is not a multiple of the ranks, the last has most of it.
    for (const Slice& slice : HeldSlices(param, tensor - 1, tensor)) elements += slice.elements();
    for (int64_t stage : StagesOf(param, spec.model.layers, stages, card.tied_head())) {
      sums[static_cast<size_t>(stage)] += elements;
    }
  }
  return *std::max_element(sums.begin(), sums.end());
}

int64_t Bounded(__int128 value) {
  constexpr int64_t kMost = int64_t{1} << 62;
  return value > kMost ? kMost : static_cast<int64_t>(value);
}

Memory MemoryOf(const recipe::RecipeSpec& spec, const ModelCard& card, const Mesh& mesh) {
  const int64_t parameters = RankParameters(spec, card);
  Memory memory;
  memory.weights = spec.precision.compute == recipe::Compute::kF32 ? 0 : 2 * parameters;
  memory.master = 4 * parameters;
  memory.gradients = 4 * parameters;
  memory.optimizer = 8 * parameters;
  // A stage holds a micro-batch for every stage after it, so pipeline stages do not make it less.
  __int128 sample = card.activation_bytes_per_sample;
  if (spec.recompute.mode == recipe::RecomputeMode::kFull) {
    const int64_t element = spec.precision.compute == recipe::Compute::kF32 ? 4 : 2;
    sample = sample / spec.model.layers +
             static_cast<__int128>(element) * spec.model.context * spec.model.hidden * spec.model.layers;
  }
  memory.activations = Bounded(sample * spec.batch.micro / mesh.tensor + card.scratch_bytes);
  memory.snapshot = CheckpointBytes(card) / mesh.world();
  return memory;
}

}  // namespace

int64_t CheckpointBytes(const ModelCard& card) { return 12 * card.parameters(); }

Plan Build(const recipe::RecipeSpec& spec, const ModelCard& card, const Inventory& inventory) {
  Plan plan;
  plan.name = spec.metadata.name;
  plan.recipe_hash = recipe::IdentityHash(spec);
  plan.mesh = {spec.parallelism.data, spec.parallelism.tensor, spec.parallelism.pipeline};
  CHECK_EQ(inventory.ranks(), plan.mesh.world());
  plan.inventory = inventory;
  plan.card = card;
  plan.compute = spec.precision.compute;
  plan.batch = BatchRamp(spec.batch, spec.model.context);
  plan.total_steps = plan.batch.TotalSteps(spec.train.until);
  plan.total_samples = plan.batch.SamplesAfter(plan.total_steps);
  plan.total_tokens = plan.batch.TokensAfter(plan.total_steps);
  plan.learning_rate = LearningRate(spec.schedule.lr, spec.train.until, plan.batch);
  plan.checkpoints = CheckpointSchedule(spec.checkpoint, plan.batch, plan.total_steps);
  plan.evaluation = EvaluationSchedule(spec.evaluation, plan.batch, plan.total_steps);
  plan.memory = MemoryOf(spec, card, plan.mesh);
  plan.checkpoint_bytes = CheckpointBytes(card);
  if (spec.launcher.slurm) plan.jobs = spec.launcher.slurm->chain;
  const double flops = card.flops_per_token.total();
  plan.training_flops = flops * static_cast<double>(plan.total_tokens);
  plan.validation_sets = recipe::ValidationSets(spec.data);
  plan.evaluation_flops = flops / 3 * static_cast<double>(plan.evaluation.Count() * plan.validation_sets) *
                          static_cast<double>(plan.evaluation.samples()) *
                          static_cast<double>(spec.model.context);
  plan.hash = Hex(Hash64(ToJson(plan)));
  return plan;
}

}  // namespace galley::plan
