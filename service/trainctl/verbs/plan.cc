// trainctl plan: the arithmetic of a run before it runs.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_format.h"
#include "runtime/data/order/megatron_order.h"
#include "runtime/prepare/data_config.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"
#include "service/trainctl/verbs/recipe_input.h"

namespace galley::trainctl {
namespace {

// Of order: megatron, which depend on the data; absent for other orders, and where the data are elsewhere.
std::optional<int64_t> IndexBytes(const prepare::Prepared& prepared) {
  if (prepared.spec.data.order != recipe::Order::kMegatron) return std::nullopt;
  const absl::StatusOr<data::DataPlan> plan = data::BuildDataPlan(prepare::DataConfigOf(prepared));
  if (plan.ok() && plan->megatron()) return data::IndexBytes(*plan);
  if (!plan.ok())
    fprintf(stderr, "indices of the order: not known here: %s\n",
            std::string(plan.status().message()).c_str());
  return std::nullopt;
}

int Run(const RecipeInput& input, const Globals& globals) {
  if (const int code = WantOutput(globals, {"table", "wide", "json", "jsonl"}); code != kOk) return code;
  prepare::PrepareResult result;
  if (const int code = ReadRecipe(input, &result); code != kOk) return code;
  const plan::Plan& plan = result.prepared->plan;
  const std::optional<int64_t> indices = IndexBytes(*result.prepared);
  if (!IsJson(globals)) {
    fputs(plan::ToTable(plan).c_str(), stdout);
    if (indices.has_value()) {
      absl::PrintF("Indices of order: megatron: %d bytes (%.1f MiB) more in each rank\n", *indices,
                   static_cast<double>(*indices) / (1 << 20));
    }
    return kOk;
  }
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(plan::ToJson(plan));
  if (indices.has_value()) json["index_bytes_per_rank"] = *indices;
  puts(json.dump(globals.output == "json" ? 2 : -1).c_str());
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
