// Every tensor that an engine has, taken by one function: the plan runs it on arenas that measure, the engine
// on arenas that bind. Pure.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "runtime/models/layout.h"
#include "runtime/models/stage.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

// What activations and the weights of matrix products are held in.
DType ElementOf(recipe::Compute compute);

enum class EngineMode {
  kTrain,      // every block's activations are kept until its backward pass
  kRecompute,  // only what flows between blocks is kept; the backward pass runs each block forward again
  kInfer,      // forward only; nothing is kept
};

struct EngineOptions {
  EngineMode mode = EngineMode::kTrain;
  int64_t rows = 0;       // tokens of a micro-batch
  int threads = 1;        // of the engine's stream
  int micro_batches = 1;  // in flight: forward passes whose backward pass is still to come
  int64_t stage = 0;      // of the pipeline
  int64_t stages = 1;
};

// Flat, in the order of the card's parameters.
struct WeightTensors {
  View master;     // f32
  View compute;    // of the compute type; `master` itself in f32
  View gradients;  // f32; View{} where no backward pass will run
};

struct MicroBatchTensors {
  // residual[i]: (rows, hidden), input of the stage's block i and output of the one before; View{} before
  // an embedding and after a head.
  std::vector<View> residual;
  std::vector<std::unique_ptr<Activations>> activations;  // by block
};

struct EngineTensors {
  WeightTensors weights;
  std::vector<View> constants;  // ModelLayout::constants
  std::vector<MicroBatchTensors> micro_batches;
  std::array<View, 2> dresidual;  // (rows, hidden): gradients of residual[i], in turns
};

// `card`: of the stage alone (StageCard).
EngineTensors AllocateEngine(const recipe::RecipeSpec& spec, const plan::ModelCard& card,
                             const EngineOptions& options, layers::Memory& memory);

}  // namespace galley::models
