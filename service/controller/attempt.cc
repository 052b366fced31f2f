#include "service/controller/attempt.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/plan/inventory.h"
#include "runtime/recipe/kinds.h"

namespace galley::service {
namespace {

absl::StatusOr<Base> FromPath(const std::string& path) {
  absl::StatusOr<checkpoint::Manifest> manifest = checkpoint::Open(path, /*verify_data=*/true);
  if (!manifest.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(manifest.status().message(),
                     "; resume with another --from-checkpoint (trainctl checkpoints lists them)"));
  }
  Base base;
  base.checkpoint = path;
  base.step = manifest->info.step;
  return base;
}

// A rank's share of its node's processor: the peak is of all cores together.
plan::Device ShareOf(const v1::NodeInfo& node, int64_t threads) {
  plan::Device share;
  if (node.devices().empty()) return share;
  const v1::Device& cpu = node.devices(0);
  const double part = node.cores() > 0 ? std::min(1.0, static_cast<double>(threads) / node.cores()) : 0;
  for (const auto& [dtype, flops] : cpu.peak_flops()) share.peak_flops[dtype] = flops * part;
  if (!cpu.peak_source().empty()) share.peak_source = cpu.peak_source();
  return share;
}

// The machines of an attempt. Ranks are numbered through the nodes, as many on each.
absl::StatusOr<plan::Inventory> InventoryOf(const Run& run, const NodeInfos& infos) {
  plan::Inventory inventory;
  const auto nodes = static_cast<int32_t>(run.placement.nodes.size());
  inventory.ranks_per_node = run.plan.world / std::max(1, nodes);
  int32_t next = 0;
  for (const Placement::Node& placed : run.placement.nodes) {
    const v1::NodeInfo& info = infos.at(placed.name);
    inventory.nodes.push_back(placed.name);
    if (inventory.nodes.size() == 1) {
      inventory.cores_per_node = info.cores();
      inventory.instruction_set = info.isa();
    } else if (info.isa() != inventory.instruction_set) {
      return absl::FailedPreconditionError(absl::StrCat(
          "nodes ", inventory.nodes.front(), " (", inventory.instruction_set, ") and ", placed.name, " (",
          info.isa(), ") compute differently; one run needs nodes of one ", "instruction set"));
    }
    inventory.cores_per_node = std::min<int64_t>(inventory.cores_per_node, info.cores());
    bool sound = static_cast<int64_t>(placed.ranks.size()) == inventory.ranks_per_node;
    for (int32_t rank : placed.ranks) sound = sound && rank == next++;
    if (!sound) {
      return absl::DataLossError(absl::StrCat("the row of run ", run.id, " gives node ", placed.name,
                                              " other ranks than follow from ", nodes,
                                              " nodes; cancel the run and submit its recipe again"));
    }
  }
  inventory.threads_per_rank = run.plan.threads_per_rank;
  if (inventory.threads_per_rank == 0) {
    inventory.threads_per_rank =
        std::max<int64_t>(1, inventory.cores_per_node / std::max<int64_t>(1, inventory.ranks_per_node));
  }
  inventory.devices = {ShareOf(infos.at(inventory.nodes.front()), inventory.threads_per_rank)};
  return inventory;
}

}  // namespace

absl::StatusOr<Base> ChooseBase(const Run& run) {
  if (!FileExists(JoinPath(run.run_dir, "recipe.yaml"))) {
    return absl::NotFoundError(absl::StrCat(run.run_dir, ": the run directory is gone, and the run with it"));
  }
  if (!run.next_base.empty()) return FromPath(run.next_base);
  std::vector<std::string> skipped;
  absl::StatusOr<std::string> latest = checkpoint::FindLatest(run.plan.checkpoint_dir, &skipped);
  if (absl::IsNotFound(latest.status())) {
    if (skipped.empty()) return Base{};
    return absl::FailedPreconditionError(
        absl::StrCat(run.plan.checkpoint_dir, ": no checkpoint can be loaded: ", absl::StrJoin(skipped, "; "),
                     "; restore one, or move them all away to begin anew, then resume"));
  }
  if (!latest.ok()) return absl::FailedPreconditionError(latest.status().message());
  ASSIGN_OR_RETURN(checkpoint::Manifest manifest, checkpoint::Open(*latest, /*verify_data=*/false));
  Base base;
  base.checkpoint = *latest;
  base.step = manifest.info.step;
  if (!skipped.empty())
    base.note = absl::StrCat("skipped damaged checkpoints: ", absl::StrJoin(skipped, "; "));
  return base;
}

// The recipe's names are those of the message.
v1::Exporter ExporterOf(const recipe::Exporter& exporter) {
  const std::string name = recipe::NameOf(exporter.kind);
  v1::ExporterKind::Value kind;
  CHECK(v1::ExporterKind::Value_Parse(absl::AsciiStrToUpper(name), &kind)) << name;
  v1::Exporter message;
  message.set_kind(kind);
  if (kind == v1::ExporterKind::PROMETHEUS) message.set_listen(exporter.listen);
  return message;
}

void PreparedRecipes::Keep(const std::string& run_id, Prepared prepared) {
  const MutexLock lock(mutex_);
  kept_[run_id] = std::move(prepared);
}

void PreparedRecipes::Forget(const std::string& run_id) {
  const MutexLock lock(mutex_);
  kept_.erase(run_id);
}

absl::StatusOr<PreparedRecipes::Prepared> PreparedRecipes::Of(const Run& run) {
  {
    const MutexLock lock(mutex_);
    if (const auto found = kept_.find(run.id); found != kept_.end()) return found->second;
  }
  prepare::PrepareResult result = prepare::Prepare({run.recipe, run.root, run.origins_json});
  if (!result.prepared) {
    return absl::FailedPreconditionError(
        absl::StrCat("this version cannot prepare the run's recipe: ", recipe::FormatFaults(result.faults)));
  }
  auto prepared = std::make_shared<const prepare::Prepared>(*std::move(result.prepared));
  Keep(run.id, prepared);
  return prepared;
}

RunPlan RunPlanOf(const prepare::Prepared& prepared, const std::string& run_dir) {
  const recipe::RecipeSpec& spec = prepared.spec;
  RunPlan plan;
  plan.version = kRunPlanVersion;
  plan.recipe_hash = prepared.plan.recipe_hash;
  plan.plan_hash = prepared.plan.hash;
  plan.checkpoint_dir =
      spec.checkpoint.directory.empty() ? JoinPath(run_dir, "checkpoints") : spec.checkpoint.directory;
  plan.launcher = spec.launcher.kind;
  plan.nodes = spec.launcher.nodes;
  plan.world = static_cast<int32_t>(prepared.plan.mesh.world());
  plan.threads_per_rank = static_cast<int32_t>(spec.launcher.threads_per_rank);
  plan.bytes_per_rank = prepared.plan.memory.total();
  plan.total_steps = prepared.plan.total_steps;
  plan.max_failures = spec.limits.max_failures;
  plan.exit_duration_seconds = spec.limits.exit_duration_seconds.value_or(0);
  return plan;
}

absl::StatusOr<AttemptOrders> MakeAttempt(const Run& run, const prepare::Prepared& prepared,
                                          const NodeInfos& nodes) {
  ASSIGN_OR_RETURN(const plan::Inventory inventory, InventoryOf(run, nodes));
  v1::EnsureAttempt order;
  order.set_run_id(run.id);
  order.set_run_name(run.name);
  order.set_run_dir(run.run_dir);
  order.set_attempt(run.attempt);
  order.set_hang_seconds(prepared.spec.limits.hang_seconds);
  for (const recipe::Exporter& exporter : prepared.spec.exporters)
    *order.add_exporters() = ExporterOf(exporter);
  v1::Start& common = *order.mutable_common();
  common.set_world(run.plan.world);
  common.set_threads(static_cast<int32_t>(inventory.threads_per_rank));
  common.mutable_recipe()->set_canonical(run.recipe);
  common.mutable_recipe()->set_root(run.root);
  common.mutable_recipe()->set_origins_json(run.origins_json);
  common.mutable_inventory()->set_json(plan::InventoryToJson(inventory));
  common.set_plan_hash(prepare::OnMachines(prepared, inventory).hash);
  common.set_restore_path(run.base_checkpoint);
  common.set_checkpoint_dir(run.plan.checkpoint_dir);
  AttemptOrders orders;
  orders.attempt = run.attempt;
  for (const Placement::Node& node : run.placement.nodes) {
    v1::EnsureAttempt& part = orders.by_node[node.name] = order;
    for (int32_t rank : node.ranks) part.add_ranks()->set_rank(rank);
  }
  return orders;
}

}  // namespace galley::service
