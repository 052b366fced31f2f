// All that a rank takes to train: one function that the plan runs on arenas that measure and the rank on
// arenas that bind. Pure.
#pragma once

#include "runtime/layers/activations.h"
#include "runtime/models/memory.h"
#include "runtime/optim/moments.h"
#include "runtime/plan/plan.h"

namespace galley::prepare {

struct TrainingTensors {
  models::EngineTensors engine;
  optim::Moments moments;
  View sums;                               // (3) f64: of the losses, of the labels, of the gradient's squares
  View tokens, labels, starts, positions;  // (micro, context) i32: a micro-batch on the device
};

// A rank that holds the whole model.
models::EngineOptions TrainingOptions(const recipe::RecipeSpec& spec, int threads);

TrainingTensors AllocateTraining(const recipe::RecipeSpec& spec, const plan::ModelCard& card,
                                 const models::EngineOptions& options, layers::Memory& memory);

// Bytes of the fullest rank, but for the snapshot. To the byte what a rank takes where it holds a whole
// model; where tensor parallelism cuts it, which no engine does yet, activations are shared out evenly.
// threads: of a rank; 0, not known yet, counts as 1.
plan::Memory MeasureTraining(const recipe::RecipeSpec& spec, const plan::ModelCard& card, int64_t threads);

}  // namespace galley::prepare
