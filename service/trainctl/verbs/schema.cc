// trainctl schema: the JSON Schema of recipes, for editors.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "runtime/models/families.h"
#include "runtime/recipe/schema.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

std::function<int()> Declare(CLI::App&, const Globals& globals) {
  return [&globals] {
    if (const int code = WantOutput(globals, {"table", "json"}); code != kOk) return code;
    fputs(recipe::JsonSchema(models::RecipeFamilies()).c_str(), stdout);
    return static_cast<int>(kOk);
  };
}

}  // namespace

constinit const Verb kSchemaVerb = {"schema", "Print the JSON Schema of recipes", Declare};

}  // namespace galley::trainctl
