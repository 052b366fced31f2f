#include "service/trainctl/recipe_input.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "service/trainctl/output.h"

namespace galley::trainctl {

void AddRecipeOptions(CLI::App& app, RecipeInput* input) {
  app.add_option("RECIPE", input->path, "Recipe file (YAML)")->required();
  app.add_option("--set", input->sets, "PATH=VALUE, as in batch.micro=2; may be given many times")
      ->allow_extra_args(false)
      ->take_all();
}

int ReadRecipe(const RecipeInput& input, models::PrepareResult* result, bool print_faults) {
  if (!FileExists(input.path)) {
    return Fail(absl::NotFoundError(absl::StrCat(input.path, ": no such recipe")));
  }
  *result = models::PrepareFile(input.path, input.sets);
  if (print_faults) fputs(recipe::FormatFaults(result->faults).c_str(), stderr);
  return result->prepared ? kOk : kInvalidRecipe;
}

int WantOutput(const Globals& globals, const std::vector<std::string>& outputs) {
  if (std::find(outputs.begin(), outputs.end(), globals.output) != outputs.end()) return kOk;
  return Fail(absl::InvalidArgumentError(absl::StrCat(
      "-o ", globals.output, " is not for this command; it has ", absl::StrJoin(outputs, ", "))));
}

}  // namespace galley::trainctl
