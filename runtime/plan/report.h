// What ToJson and ToTable both show, drawn from a plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"

namespace galley::plan {

struct ParamGroup {
  std::string name;  // "attention", "norms" ...
  int64_t tensors = 0;
  int64_t parameters = 0;  // padded rows counted
  bool decay = false;
};
std::vector<ParamGroup> GroupsOf(const ModelCard& card);

// A step worth naming; index from 0, samples and tokens consumed before it.
struct NamedStep {
  std::string name;
  int64_t step = 0;
  int64_t samples = 0;
  int64_t tokens = 0;
  double lr = 0;
};
std::vector<NamedStep> NamedSteps(const Plan& plan);

// World sizes (data-parallel size x tensor x pipeline) at which every step of a stage splits evenly.
std::vector<int64_t> LegalWorlds(const Plan& plan, int64_t global_batch);
// At which every step of the run does.
std::vector<int64_t> LegalWorldsOfRun(const Plan& plan);

const char* ComputeName(recipe::Compute compute);

}  // namespace galley::plan
