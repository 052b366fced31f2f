// Runs a recipe of this folder on its documented data (make_golden.py) through the plan's own batch ramp and
// learning rate and the engine's own Stepper.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/comm/group.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"
#include "runtime/train/step.h"

namespace galley::golden {

struct Step {
  int64_t global_batch = 0;
  double lr = 0;
  double loss = 0;
  double grad_norm = 0;
};

inline constexpr int kSteps = 20;

// `name`: "gpt2" or "llama". CHECKs that the recipe loads.
recipe::RecipeSpec LoadRecipe(const std::string& name);
std::vector<Step> LoadGolden(const std::string& name);

struct Options {
  int threads = 1;
  comm::Group* group = nullptr;  // default: a group of one
  int64_t bucket_bytes = train::Stepper::kBucketBytes;
  Device device = {};
  int64_t* memory_bytes = nullptr;  // Stepper::memory_bytes after the last step
  std::function<void(plan::ModelCard&)> edit_card = {};
  std::function<void(int step)> after_step = {};  // 1-based
};
std::vector<Step> Train(const recipe::RecipeSpec& spec, const Options& options = {});

// The largest relative difference of loss or gradient norm over the steps; infinite when batch or lr differ.
double Distance(const std::vector<Step>& a, const std::vector<Step>& b);

}  // namespace galley::golden
