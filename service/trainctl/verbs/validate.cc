// trainctl validate: a recipe's faults, all of them. Reads no data.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"
#include "service/trainctl/verbs/recipe_input.h"

namespace galley::trainctl {
namespace {

using Json = nlohmann::ordered_json;

void PrintJson(const prepare::PrepareResult& result) {
  Json faults = Json::array();
  for (const recipe::Fault& f : result.faults) {
    faults.push_back({{"severity", f.severity == recipe::Fault::Severity::kError ? "error" : "warning"},
                      {"file", f.file},
                      {"line", f.line},
                      {"column", f.column},
                      {"path", f.path},
                      {"message", f.message},
                      {"not_built", f.not_built}});
  }
  Json json = {{"valid", result.prepared.has_value()}, {"faults", faults}};
  if (result.prepared) {
    json["name"] = result.prepared->plan.name;
    json["recipe_hash"] = result.prepared->plan.recipe_hash;
  }
  puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

int Run(const RecipeInput& input, const Globals& globals) {
  if (const int code = WantOutput(globals, {"table", "wide", "json", "jsonl"}); code != kOk) return code;
  prepare::PrepareResult result;
  const int code = ReadRecipe(input, &result, !IsJson(globals));
  if (code == kNotFound) return code;
  if (IsJson(globals)) {
    PrintJson(result);
  } else if (result.prepared) {
    printf("%s: valid, recipe %s\n", input.path.c_str(), result.prepared->plan.recipe_hash.c_str());
  }
  return code;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto input = std::make_shared<RecipeInput>();
  AddRecipeOptions(app, input.get());
  return [input, &globals] { return Run(*input, globals); };
}

}  // namespace

constinit const Verb kValidateVerb = {"validate", "Check a recipe and print all its faults", Declare};

}  // namespace galley::trainctl
