// Who does what, when: the whole arithmetic of a run, before it runs. Pure: equal recipe, card and inventory
// give equal bytes of ToJson on every machine. Formulas: docs/plan.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/batch.h"
#include "runtime/plan/checkpoint_schedule.h"
#include "runtime/plan/inventory.h"
#include "runtime/plan/learning_rate.h"
#include "runtime/plan/mesh.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/checker.h"
#include "runtime/recipe/spec.h"

namespace galley::plan {

// Bytes of one rank, the largest of all ranks.
struct Memory {
  int64_t weights = 0;      // compute copy where it is not f32
  int64_t master = 0;       // f32 weights
  int64_t gradients = 0;    // f32
  int64_t optimizer = 0;    // AdamW m and v, f32
  int64_t activations = 0;  // and all else that a step works in: constants, batch, workspace, scratch of ops
  int64_t snapshot = 0;     // checkpoint in flight
  int64_t total() const { return weights + master + gradients + optimizer + activations + snapshot; }
};

struct Plan {
  std::string name;         // metadata.name
  std::string recipe_hash;  // recipe::IdentityHash
  std::string hash;         // of ToJson without itself: what ranks compare

  Mesh mesh;
  Inventory inventory;
  ModelCard card;
  recipe::Compute compute = recipe::Compute::kF32;

  BatchRamp batch;
  LearningRate learning_rate;
  CheckpointSchedule checkpoints;
  EvaluationSchedule evaluation;
  int64_t total_steps = 0;
  int64_t total_samples = 0;  // of those steps
  int64_t total_tokens = 0;

  Memory memory;
  int64_t checkpoint_bytes = 0;  // one checkpoint on disk: f32 weights, m and v
  int64_t jobs = 1;              // of the chain, slurm
  double training_flops = 0;     // whole run, model FLOPs
  int64_t validation_sets = 1;   // that each evaluation reads
  double evaluation_flops = 0;
};

// REQUIRES: a spec that Load and Check found sound, and an inventory of the mesh's ranks.
// memory: measured (prepare/training_memory.h); its snapshot is set here.
Plan Build(const recipe::RecipeSpec& spec, const ModelCard& card, const Memory& memory,
           const Inventory& inventory);

// The same plan for other machines: the inventory, the memory of a rank with their threads, and the hash
// depend on them, and nothing else does. REQUIRES: an inventory of the mesh's ranks.
Plan OnMachines(Plan plan, const Memory& memory, const Inventory& inventory);

// What only the arithmetic can find: a run of no steps, a warm-up longer than the decay, phases out of order,
// an evaluation that costs more than 5 % of the time. Handed to recipe::Load.
void Check(recipe::Checker& checker);

// f32 weights, m and v of all (padded) parameters.
int64_t CheckpointBytes(const ModelCard& card);

std::string ToJson(const Plan& plan);   // indented; keys are versioned API
std::string ToTable(const Plan& plan);  // for people

}  // namespace galley::plan
