#include "service/controller/attempt.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/prepare/prepare.h"
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

plan::Inventory InventoryOn(const v1::NodeInfo& node, const Run& run) {
  plan::Inventory inventory;
  inventory.nodes = {node.name()};
  inventory.ranks_per_node = run.world;
  inventory.cores_per_node = node.cores();
  inventory.threads_per_rank =
      run.threads_per_rank > 0 ? run.threads_per_rank : std::max(1, node.cores() / std::max(1, run.world));
  inventory.instruction_set = node.isa();
  // The node's peak is of all its cores; a rank has its threads' share.
  const double share =
      node.cores() > 0 ? std::min(1.0, static_cast<double>(inventory.threads_per_rank) / node.cores()) : 0;
  if (node.peak_flops_f32() > 0) inventory.peak_f32 = node.peak_flops_f32() * share;
  if (node.peak_flops_bf16() > 0) inventory.peak_bf16 = node.peak_flops_bf16() * share;
  if (!node.peak_source().empty()) inventory.peak_source = node.peak_source();
  return inventory;
}

}  // namespace

absl::StatusOr<Base> ChooseBase(const Run& run) {
  if (!FileExists(JoinPath(run.run_dir, "recipe.yaml"))) {
    return absl::NotFoundError(absl::StrCat(run.run_dir, ": the run directory is gone, and the run with it"));
  }
  if (!run.next_base.empty()) return FromPath(run.next_base);
  std::vector<std::string> skipped;
  absl::StatusOr<std::string> latest = checkpoint::FindLatest(run.checkpoint_dir, &skipped);
  if (absl::IsNotFound(latest.status())) {
    if (skipped.empty()) return Base{};
    return absl::FailedPreconditionError(
        absl::StrCat(run.checkpoint_dir, ": no checkpoint can be loaded: ", absl::StrJoin(skipped, "; "),
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

absl::StatusOr<v1::EnsureAttempt> MakeAttempt(const Run& run, const v1::NodeInfo& node) {
  const plan::Inventory inventory = InventoryOn(node, run);
  const prepare::PrepareResult result = prepare::Prepare({run.recipe, run.root, run.origins_json}, inventory);
  if (!result.prepared) {
    return absl::FailedPreconditionError(absl::StrCat("this version cannot prepare the run's recipe on ",
                                                      node.name(), ": ",
                                                      recipe::FormatFaults(result.faults)));
  }
  v1::EnsureAttempt order;
  order.set_run_id(run.id);
  order.set_run_name(run.name);
  order.set_run_dir(run.run_dir);
  order.set_attempt(run.attempt);
  order.set_hang_seconds(run.hang_seconds);
  for (const recipe::Exporter& exporter : result.prepared->spec.exporters) {
    *order.add_exporters() = ExporterOf(exporter);
  }
  for (int32_t rank = 0; rank < run.world; ++rank) {
    v1::Start& start = *order.add_ranks();
    start.set_run_id(run.id);
    start.set_run_name(run.name);
    start.set_run_dir(run.run_dir);
    start.set_attempt(run.attempt);
    start.set_rank(rank);
    start.set_world(run.world);
    start.set_threads(static_cast<int32_t>(inventory.threads_per_rank));
    start.mutable_recipe()->set_canonical(run.recipe);
    start.mutable_recipe()->set_root(run.root);
    start.mutable_recipe()->set_origins_json(run.origins_json);
    start.mutable_inventory()->set_json(plan::InventoryToJson(inventory));
    start.set_plan_hash(result.prepared->plan.hash);
    start.set_restore_path(run.base_checkpoint);
    start.set_checkpoint_dir(run.checkpoint_dir);
  }
  return order;
}

}  // namespace galley::service
