#include "runtime/prepare/prepare.h"

#include "absl/strings/str_cat.h"
#include "runtime/models/describe.h"
#include "runtime/models/families.h"
#include "runtime/prepare/training_memory.h"
#include "runtime/recipe/quantity.h"

namespace galley::prepare {
namespace {

// What a shared file system takes from one node, as a rule of thumb for warnings only.
constexpr double kBytesPerSecondOfNode = 200e6;

PrepareResult Finish(recipe::LoadResult loaded, const plan::Inventory* inventory) {
  PrepareResult result{std::move(loaded.text), std::nullopt, std::move(loaded.faults),
                       std::move(loaded.origins)};
  if (!loaded.spec) return result;
  const plan::Inventory given = inventory != nullptr ? *inventory : plan::InventoryOf(*loaded.spec);
  const recipe::Parallelism& p = loaded.spec->parallelism;
  if (given.ranks() != p.data * p.tensor * p.pipeline) {
    recipe::Fault fault;
    fault.file = "inventory";
    fault.path = "parallelism";
    fault.message = absl::StrCat("the nodes hold ", given.ranks(), " ranks, the recipe asks for ",
                                 p.data * p.tensor * p.pipeline);
    result.faults.push_back(std::move(fault));
    return result;
  }
  const plan::ModelCard card = models::Describe(*loaded.spec);
  const plan::Memory memory = MeasureTraining(*loaded.spec, card, given.threads_per_rank);
  plan::Plan plan = plan::Build(*loaded.spec, card, memory, given);
  result.prepared = Prepared{*std::move(loaded.spec), std::move(plan)};
  return result;
}

// All checks above the recipe and the families.
void Check(recipe::Checker& c) {
  plan::Check(c);
  if (!c.Sound({"model", "precision", "parallelism", "launcher", "limits.grace"})) return;
  const int64_t bytes = plan::CheckpointBytes(models::Describe(c.spec));
  const auto seconds = static_cast<int64_t>(static_cast<double>(bytes) / kBytesPerSecondOfNode /
                                            static_cast<double>(c.spec.launcher.nodes));
  if (seconds > c.spec.limits.grace_seconds) {
    c.Warn("limits.grace",
           absl::StrCat(recipe::PrintDuration(c.spec.limits.grace_seconds),
                        " is shorter than the last save may take: ", bytes / 1'000'000'000, " GB, about ",
                        recipe::PrintDuration(seconds), " at 200 MB/s a node"));
  }
}

}  // namespace

recipe::Rules Rules() { return {models::RecipeFamilies(), {Check}}; }

PrepareResult Prepare(const recipe::RecipeText& text, const plan::Inventory& inventory) {
  return Finish(recipe::LoadText(text, Rules()), &inventory);
}

PrepareResult Prepare(const recipe::RecipeText& text) {
  return Finish(recipe::LoadText(text, Rules()), nullptr);
}

PrepareResult PrepareFile(const std::string& path, const std::vector<std::string>& sets) {
  return Finish(recipe::LoadFile(path, Rules(), sets), nullptr);
}

plan::Plan OnMachines(const Prepared& prepared, const plan::Inventory& inventory) {
  const plan::Plan& plan = prepared.plan;
  const plan::Memory memory = MeasureTraining(prepared.spec, plan.card, inventory.threads_per_rank);
  return plan::OnMachines(plan, memory, inventory);
}

}  // namespace galley::prepare
