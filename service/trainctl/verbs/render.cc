// trainctl render: the canonical recipe, `base:` and --set resolved, defaults written out.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"
#include "service/trainctl/verbs/recipe_input.h"

namespace galley::trainctl {
namespace {

int Run(const RecipeInput& input, bool origins, const Globals& globals) {
  if (const int code = WantOutput(globals, {"table", "yaml", "json"}); code != kOk) return code;
  prepare::PrepareResult result;
  if (const int code = ReadRecipe(input, &result); code != kOk) return code;
  if (IsJson(globals)) {
    fputs(recipe::RenderJson(result.text, origins).c_str(), stdout);
  } else {
    fputs((origins ? recipe::RenderOrigins(result.text) : result.text.canonical).c_str(), stdout);
  }
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto input = std::make_shared<RecipeInput>();
  auto origins = std::make_shared<bool>(false);
  AddRecipeOptions(app, input.get());
  app.add_flag("--origins", *origins, "Name the file, line and column of every value");
  return [input, origins, &globals] { return Run(*input, *origins, globals); };
}

}  // namespace

constinit const Verb kRenderVerb = {"render", "Print a recipe with everything resolved", Declare};

}  // namespace galley::trainctl
