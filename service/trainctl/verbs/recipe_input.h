// What verbs that read a recipe share: RECIPE, --set, and how faults are printed.
#pragma once

#include <string>
#include <vector>

#include "runtime/prepare/prepare.h"
#include "service/trainctl/verb.h"

namespace galley::trainctl {

struct RecipeInput {
  std::string path;
  std::vector<std::string> sets;
};

// Declares RECIPE and --set. `input` must outlive the parsing.
void AddRecipeOptions(CLI::App& app, RecipeInput* input);

// Reads the recipe and makes its plan; faults go to stderr, one line each. kOk, kNotFound when there is no
// such file, kInvalidRecipe when a fault is an error. `result` is set unless kNotFound.
int ReadRecipe(const RecipeInput& input, prepare::PrepareResult* result, bool print_faults = true);

}  // namespace galley::trainctl
