#include "service/trainctl/verbs/recipe_input.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "service/trainctl/output/output.h"

namespace galley::trainctl {

void AddRecipeOptions(CLI::App& app, RecipeInput* input) {
  app.add_option("RECIPE", input->path, "Recipe file (YAML)")->required();
  app.add_option("--set", input->sets, "PATH=VALUE, as in batch.micro=2; may be given many times")
      ->allow_extra_args(false)
      ->take_all();
}

int ReadRecipe(const RecipeInput& input, prepare::PrepareResult* result, bool print_faults) {
  if (!FileExists(input.path)) {
    return Fail(absl::NotFoundError(absl::StrCat(input.path, ": no such recipe")));
  }
  *result = prepare::PrepareFile(input.path, input.sets);
  if (print_faults) fputs(recipe::FormatFaults(result->faults).c_str(), stderr);
  return result->prepared ? kOk : kInvalidRecipe;
}

}  // namespace galley::trainctl
