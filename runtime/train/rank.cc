#include "runtime/train/rank.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/comm/group.h"
#include "runtime/comm/ucx_group.h"
#include "runtime/parallel/groups.h"
#include "runtime/plan/inventory.h"
#include "runtime/prepare/prepare.h"
#include "runtime/train/batches.h"
#include "runtime/train/dataset.h"
#include "runtime/train/loop.h"
#include "runtime/train/orders.h"
#include "runtime/train/outcome.h"
#include "runtime/train/restore.h"
#include "runtime/train/saver.h"
#include "runtime/train/step.h"

namespace galley::train {
namespace {

constexpr absl::Duration kPeersTimeout = absl::Minutes(10);

absl::StatusOr<prepare::Prepared> PrepareRank(const v1::Start& start) {
  ASSIGN_OR_RETURN(plan::Inventory inventory, plan::InventoryFromJson(start.inventory().json()));
  prepare::PrepareResult result = prepare::Prepare({.canonical = start.recipe().canonical(),
                                                    .root = start.recipe().root(),
                                                    .origins_json = start.recipe().origins_json()},
                                                   inventory);
  if (!result.prepared.has_value()) return absl::InvalidArgumentError(recipe::FormatFaults(result.faults));
  if (result.prepared->plan.hash != start.plan_hash()) {
    return absl::FailedPreconditionError(
        absl::StrCat("plan hash: this rank computes ", result.prepared->plan.hash, ", the controller ",
                     start.plan_hash(), "; run the same Galley version on every node"));
  }
  return *std::move(result.prepared);
}

// Offers this rank's address and connects when trainerd has passed on those of all. A run of one rank takes
// the same way but needs no transport.
absl::StatusOr<std::unique_ptr<comm::Group>> Join(link::Client& client, const v1::Start& start,
                                                  const plan::Mesh& mesh) {
  std::unique_ptr<comm::UcxEndpoint> endpoint;
  v1::Report ready;
  ready.mutable_ready();
  if (mesh.world() > 1) {
    // Of the attempt: a rank that is left over from an earlier one cannot connect.
    uint64_t cookie = Hash64(start.run_id(), static_cast<uint64_t>(start.attempt()));
    ASSIGN_OR_RETURN(endpoint, comm::UcxEndpoint::Create({.cookie = cookie}));
    ready.mutable_ready()->set_address(endpoint->address());
  }
  client.Send(std::move(ready));
  auto order = client.WaitOrder(kPeersTimeout);
  if (!order.has_value()) return absl::DeadlineExceededError("the other ranks did not come up in time");
  if (order->has_abort()) return absl::AbortedError(order->abort().reason());
  if (order->has_stop()) return absl::CancelledError(order->stop().reason());
  if (!order->has_peers()) return absl::InternalError(absl::StrCat("not Peers: ", order->ShortDebugString()));
  if (mesh.world() == 1) return comm::MakeSelfGroup();
  std::vector<std::string> addresses(order->peers().addresses().begin(), order->peers().addresses().end());
  return endpoint->Connect(start.rank(), addresses);
}

absl::StatusOr<RunState> Restore(const std::string& path, const prepare::Prepared& prepared,
                                 const DataSet& data, Stepper& stepper) {
  ASSIGN_OR_RETURN(checkpoint::Manifest manifest, checkpoint::Open(path, /*verify_data=*/false));
  ASSIGN_OR_RETURN(RunState state, FromManifest(manifest, path));
  if (state.samples != prepared.plan.batch.SamplesAfter(state.step)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": ", state.samples, " samples after step ", state.step,
                     ", but this recipe's batch gives ", prepared.plan.batch.SamplesAfter(state.step),
                     "; a resume may not change batch.global or batch.rampup"));
  }
  RETURN_IF_ERROR(Annotate(data.CheckResume(state.data_plan, state.samples), path));
  RETURN_IF_ERROR(checkpoint::Load(stepper.stream(), path, stepper.StateItems()));
  stepper.Restored(state.optimizer_step);
  return state;
}

checkpoint::Facts Origin(const v1::Start& start, const prepare::Prepared& prepared) {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  return {{"run", checkpoint::Fact(start.run_id())},
          {"host", checkpoint::Fact(host)},
          {"attempt_start_unix_ms", checkpoint::Fact(absl::ToUnixMillis(absl::Now()))},
          {"plan_hash", checkpoint::Fact(prepared.plan.hash)},
          {"ranks", checkpoint::Fact(prepared.plan.mesh.world())},
          {"inventory", checkpoint::Fact(plan::InventoryToJson(prepared.plan.inventory))}};
}

// `plan` must outlive the saver.
absl::StatusOr<std::unique_ptr<Saver>> MakeSaver(link::Client& client, const v1::Start& start,
                                                 const plan::Plan& plan, const parallel::Groups& groups,
                                                 Stepper& stepper) {
  SaverOptions options;
  options.directory = start.checkpoint_dir();
  options.rank = start.rank();
  options.world = static_cast<int>(plan.mesh.world());
  options.attempt = start.attempt();
  options.keep_last = plan.checkpoints.keep_last();
  options.is_kept_for_good = [&plan](int64_t step) { return plan.checkpoints.IsKeptForGood(step); };
  // Before the first step of this attempt, so that none of its saves can be
  // followed by a late one of an older.
  if (start.rank() == 0) {
    RETURN_IF_ERROR(checkpoint::Claim(options.directory, options.attempt, start.run_id()));
  }
  // The ranks of a data group hold the same state: each saves its share of it.
  auto share = checkpoint::Share(stepper.StateItems(), static_cast<int>(groups.coordinate.data),
                                 static_cast<int>(plan.mesh.data));
  return Saver::Create(options, std::move(share), client);
}

absl::StatusOr<v1::Finished> Run(link::Client& client, const v1::Start& start) {
  client.SetProgress(v1::Phase::LOAD, 0);
  ASSIGN_OR_RETURN(prepare::Prepared prepared, PrepareRank(start));
  const plan::Plan& plan = prepared.plan;
  ASSIGN_OR_RETURN(DataSet data, DataSet::Open(prepared));
  client.SetProgress(v1::Phase::LOAD, 0, 1);
  ASSIGN_OR_RETURN(std::unique_ptr<comm::Group> world, Join(client, start, plan.mesh));
  ASSIGN_OR_RETURN(const parallel::Groups groups, parallel::Groups::Split(world.get(), plan.mesh));
  client.SetProgress(v1::Phase::LOAD, 0, 2);
  ASSIGN_OR_RETURN(std::unique_ptr<Stepper> stepper,
                   Stepper::Create(prepared.spec, plan.card, groups, start.threads()));
  client.SetProgress(v1::Phase::LOAD, 0, 3);

  RunState state;
  state.recipe_hash = plan.recipe_hash;
  if (!start.restore_path().empty()) {
    ASSIGN_OR_RETURN(state, Restore(start.restore_path(), prepared, data, *stepper));
  }
  state.recipe_hash = plan.recipe_hash;
  state.data_plan = data.plan_json();
  client.SetProgress(v1::Phase::LOAD, state.step, 4);

  ASSIGN_OR_RETURN(std::unique_ptr<Saver> saver, MakeSaver(client, start, plan, groups, *stepper));
  const int64_t data_rank = groups.coordinate.data;
  ASSIGN_OR_RETURN(auto train_loader, data.MakeTrainLoader());
  Batches batches(std::move(train_loader), data.shape(), TrainSamples(plan, data_rank, state.step));
  ASSIGN_OR_RETURN(std::vector<ValidationSet> validation, data.MakeValidation(plan, data_rank));
  if (start.rank() == 0) RETURN_IF_ERROR(data.CheckCache(batches, validation));

  Orders orders(client, {.abort = [&world](const std::string& reason) { world->Abort(reason); },
                         .shard = [&saver](const v1::ShardReport& shard) { saver->OnShard(shard); }});
  v1::Report training;
  training.mutable_training()->set_step(state.step);
  training.mutable_training()->set_start_unix_ms(absl::ToUnixMillis(absl::Now()));
  client.Send(std::move(training));
  return RunLoop({.plan = plan,
                  .stepper = *stepper,
                  .data = data,
                  .batches = batches,
                  .validation = validation,
                  .saver = *saver,
                  .orders = orders,
                  .client = client,
                  .origin = Origin(start, prepared),
                  .rank = start.rank(),
                  .attempt = start.attempt()},
                 std::move(state));
}

}  // namespace

v1::Finished RunRank(link::Client& client, const v1::Start& start) {
  auto finished = Run(client, start);
  return finished.ok() ? *std::move(finished) : FinishFailed(finished.status(), 0);
}

}  // namespace galley::train
