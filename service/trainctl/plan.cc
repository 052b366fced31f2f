// trainctl plan: the arithmetic of a run before it runs.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "service/trainctl/output.h"
#include "service/trainctl/recipe_input.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

int Run(const RecipeInput& input, const Globals& globals) {
  if (const int code = WantOutput(globals, {"table", "wide", "json", "jsonl"}); code != kOk) return code;
  models::PrepareResult result;
  if (const int code = ReadRecipe(input, &result); code != kOk) return code;
  const plan::Plan& plan = result.prepared->plan;
  if (globals.output == "jsonl") {
    puts(nlohmann::ordered_json::parse(plan::ToJson(plan)).dump().c_str());
  } else {
    fputs((IsJson(globals) ? plan::ToJson(plan) : plan::ToTable(plan)).c_str(), stdout);
  }
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto input = std::make_shared<RecipeInput>();
  AddRecipeOptions(app, input.get());
  return [input, &globals] { return Run(*input, globals); };
}

}  // namespace

constinit const Verb kPlanVerb = {"plan", "Print what a recipe will do: sizes, memory, schedule, checkpoints",
                                  Declare};

}  // namespace galley::trainctl
