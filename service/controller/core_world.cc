// The reconciler's eyes and hands.
#include <sys/sysinfo.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/recipe/kinds.h"
#include "service/controller/attempt.h"
#include "service/controller/core.h"
#include "service/controller/run_dir.h"
#include "service/controller/summary.h"
#include "service/view/names.h"

namespace galley::service {
namespace {

std::vector<plan::Device> DevicesOf(const v1::NodeInfo& info) {
  std::vector<plan::Device> devices;
  for (const v1::Device& given : info.devices()) {
    const std::optional<plan::ProcessorKind> kind = plan::ProcessorNamed(view::NameOf(given.kind()));
    if (!kind.has_value()) continue;  // of a newer trainerd
    plan::Device& device = devices.emplace_back();
    device.kind = *kind;
    device.uuid = given.uuid();
    device.memory_bytes = given.memory_bytes();
    device.peak_flops = {given.peak_flops().begin(), given.peak_flops().end()};
    device.peak_source = given.peak_source();
  }
  return devices;
}

}  // namespace

const Live* Core::LiveOf(const std::string& run_id) const {
  auto found = live_.find(run_id);
  return found == live_.end() ? nullptr : &found->second;
}

// Of the nodes seen; before any has come, of this machine: the local launcher's ranks will run on it.
int64_t Core::LargestNode() const {
  int64_t largest = 0;
  for (const auto& [name, node] : nodes_) largest = std::max(largest, node.info.memory_bytes());
  struct sysinfo info;
  if (largest == 0 && sysinfo(&info) == 0) largest = static_cast<int64_t>(info.totalram) * info.mem_unit;
  return largest;
}

// What is free: what lives, and what is about to, is taken.
std::vector<launcher::Node> Core::NodesFor(const Run& run, const std::vector<Run>& runs) const {
  std::vector<launcher::Node> nodes;
  for (const auto& [name, entry] : nodes_) {
    if (!entry.attached) continue;
    launcher::Node node;
    node.name = name;
    node.cores = entry.info.cores();
    node.memory_bytes = entry.info.memory_bytes();
    node.devices = DevicesOf(entry.info);
    for (const Run& other : runs) {
      if (other.id == run.id) continue;
      const auto reserved = reserved_.find(other.id);
      const Placement& held = reserved == reserved_.end() ? other.placement : reserved->second;
      if (!held.LivesOn(name)) continue;
      const auto ranks = static_cast<int64_t>(held.Find(name)->ranks.size());
      const int64_t threads = other.plan.threads_per_rank;
      node.busy_cores += threads == 0 ? node.cores : ranks * threads;
      node.busy_bytes += ranks * other.plan.bytes_per_rank;
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

absl::StatusOr<Placement> Core::Place(const Run& run) {
  if (winding_down_) return absl::UnavailableError("another controller: this one ends");
  reserved_.erase(run.id);
  const auto launcher = launchers_.find(run.plan.launcher);
  if (launcher == launchers_.end()) {
    return absl::FailedPreconditionError(absl::StrCat("launcher.kind: this controller has no launcher '",
                                                      recipe::NameOf(run.plan.launcher), "'"));
  }
  ASSIGN_OR_RETURN(std::vector<Run> runs, store_->List());
  const launcher::Request request{.run_id = run.id,
                                  .attempt = run.attempt + 1,
                                  .nodes = run.plan.nodes,
                                  .ranks = run.plan.world,
                                  .threads_per_rank = run.plan.threads_per_rank,
                                  .bytes_per_rank = run.plan.bytes_per_rank};
  RETURN_IF_ERROR(launcher->second->Acquire(request));
  absl::StatusOr<std::vector<launcher::Share>> shares = launcher->second->Poll(request, NodesFor(run, runs));
  ForgetRefused();
  if (absl::IsUnavailable(shares.status()) && !refused_.empty()) {
    return absl::UnavailableError(
        absl::StrCat(shares.status().message(), "; ", refused_.begin()->second.why));
  }
  RETURN_IF_ERROR(shares.status());
  Placement placement;
  for (launcher::Share& share : *shares) {
    placement.nodes.push_back({.name = std::move(share.node), .ranks = std::move(share.ranks)});
  }
  reserved_[run.id] = placement;
  return placement;
}

void Core::ReleaseNodes(const Run& run) {
  reserved_.erase(run.id);
  orders_.erase(run.id);
  const auto launcher = launchers_.find(run.plan.launcher);
  // A run that stands still may have asked for the attempt after its last one.
  const int64_t attempt = IsStopped(run.state) ? run.attempt + 1 : run.attempt;
  if (launcher != launchers_.end()) launcher->second->Release(run.id, attempt);
}

void Core::PlanAttempt(const Run& run, const Placement& placement) {
  to_plan_.push_back({run, placement});
  wake_planner_.notify_all();
}

// Verifies checkpoints and parses recipes, so it is not for the lock.
Core::PlannedAttempt Core::Plan(const PlanJob& job, const NodeInfos& infos) {
  PlannedAttempt planned{.run = job.run, .base = Base{}, .orders = absl::UnknownError("not made")};
  if (!job.orders_only) {
    planned.base = ChooseBase(job.run);
    planned.run.attempt += 1;
    planned.run.placement = job.placement;
    if (planned.base.ok()) planned.run.base_checkpoint = planned.base->checkpoint;
  }
  // That a recipe does not fit its nodes is told before ranks are promised, as what holds the run.
  const absl::StatusOr<PreparedRecipes::Prepared> prepared = recipes_.Of(planned.run);
  if (prepared.ok()) {
    planned.orders = MakeAttempt(planned.run, **prepared, infos);
  } else {
    planned.orders = prepared.status();
  }
  return planned;
}

void Core::Take(const PlanJob& job, PlannedAttempt planned) {
  absl::StatusOr<Base>& base = planned.base;
  if (planned.orders.ok()) {
    orders_[job.run.id] = *std::move(planned.orders);
  } else if (base.ok()) {
    base = planned.orders.status();
  }
  const absl::Status status = base.status();
  if (!job.orders_only) {
    reconciler_.Planned(job.run.id, job.placement, std::move(base));
  } else if (!status.ok()) {
    reconciler_.OrdersFailed(job.run.id, job.run.attempt, status);
  }
  const absl::StatusOr<Run> now = store_->Get(job.run.id);
  const bool wanted = now.ok() && now->attempt == planned.run.attempt && Wanted(*now) == Order::kRun;
  if (!wanted) {  // overtaken, or ended, while it was planned
    orders_.erase(job.run.id);
    if (now.ok() && IsFinal(now->state)) recipes_.Forget(job.run.id);
  } else if (job.orders_only && status.ok()) {
    for (const Placement::Node& node : now->placement.nodes) SendAttempt(*now, node.name);
  }
  wake_timer_.notify_all();
}

// The first job whose nodes have all said what they are: after a restart of the controller one may be away.
std::deque<Core::PlanJob>::iterator Core::NextJob() {
  return std::find_if(
      to_plan_.begin(), to_plan_.end(), [&](const PlanJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return std::all_of(job.placement.nodes.begin(), job.placement.nodes.end(),
                           [&](const Placement::Node& node)
                               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return nodes_.contains(node.name); });
      });
}

void Core::Planner() {
  MutexLock lock(mutex_);
  while (true) {
    wake_planner_.wait(lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stopping_ || NextJob() != to_plan_.end();
    });
    if (stopping_) return;
    const auto next = NextJob();
    const PlanJob job = std::move(*next);
    to_plan_.erase(next);
    NodeInfos infos;
    for (const Placement::Node& node : job.placement.nodes) infos[node.name] = nodes_.at(node.name).info;
    lock.unlock();
    PlannedAttempt planned = Plan(job, infos);
    lock.lock();
    Take(job, std::move(planned));
  }
}

bool Core::Attached(const std::string& node) const {
  auto entry = nodes_.find(node);
  return entry != nodes_.end() && entry->second.attached;
}

void Core::ToRanks(const Run& run, const std::string& node, int32_t rank, v1::Order order) {
  v1::NodeOrder message;
  v1::RankOrder& to_rank = *message.mutable_rank_order();
  to_rank.set_run_id(run.id);
  to_rank.set_attempt(run.attempt);
  to_rank.set_rank(rank);
  *to_rank.mutable_order() = std::move(order);
  SendTo(node, std::move(message));
}

// The planner made the orders with the attempt. They are forgotten when the controller ends, and made again
// where a node has not had its own.
void Core::SendAttempt(const Run& run, const std::string& node) {
  const auto orders = orders_.find(run.id);
  if (orders == orders_.end() || orders->second.attempt != run.attempt) {
    const bool asked = std::any_of(to_plan_.begin(), to_plan_.end(), [&](const PlanJob& job) {
      return job.orders_only && job.run.id == run.id && job.run.attempt == run.attempt;
    });
    if (asked) return;  // of another of its nodes; all are told then
    to_plan_.push_back({.run = run, .placement = run.placement, .orders_only = true});
    wake_planner_.notify_all();
    return;
  }
  v1::NodeOrder message;
  *message.mutable_ensure() = orders->second.by_node.at(node);
  SendTo(node, std::move(message));
}

void Core::Send(const Run& run, const std::string& node, Order order) {
  v1::NodeOrder message;
  switch (order) {
    case Order::kNone:
      return;
    case Order::kRun:
      SendAttempt(run, node);
      return;
    case Order::kSaveAndStop: {
      v1::Order stop;
      stop.mutable_stop()->set_save(true);
      stop.mutable_stop()->set_reason(std::string(Name(run.stop)));
      ToRanks(run, node, -1, std::move(stop));
      return;
    }
    case Order::kStop:
      message.mutable_stopped()->set_run_id(run.id);
      message.mutable_stopped()->set_attempt(run.attempt);
      message.mutable_stopped()->set_reason(run.reason);
      SendTo(node, std::move(message));
      return;
  }
}

void Core::StopStray(const std::string& node, const std::string& run_id, int64_t attempt) {
  LogWarning("node ", node, " holds attempt ", attempt, " of run ", run_id,
             ", which should not live: stopping it");
  v1::NodeOrder order;
  order.mutable_stopped()->set_run_id(run_id);
  order.mutable_stopped()->set_attempt(attempt);
  order.mutable_stopped()->set_reason("overtaken, or not known to this controller");
  SendTo(node, std::move(order));
}

int64_t Core::LastStep(const Run& run) const {
  const Live* live = LiveOf(run.id);
  return live != nullptr && live->attempt == run.attempt ? live->step() : 0;
}

// Only the store's copy counts: a run directory that cannot be written is said once a run and stops nothing.
void Core::MirrorEvent(const Run& run, const EventRecord& record) {
  absl::Status status;
  if (mirrored_.insert(run.id).second) {
    absl::StatusOr<std::vector<EventRecord>> events = store_->Events(run.id, 0);
    status = events.ok() ? WriteEvents(run, *events) : events.status();
  } else {
    status = AppendEvent(run, record);
  }
  if (IsStopped(record.to) && !IsStopped(record.from)) {
    status.Update(WriteResult(run));
  } else if (IsStopped(record.from) && !IsStopped(record.to)) {
    RemoveResult(run);
  } else if (IsStopped(record.to) && record.kind != EventKind::kNoted) {
    status.Update(WriteResult(run));
  }
  if (!status.ok()) {
    LogWarning("run ", run.id, ": ", status.message());
    mirrored_.erase(run.id);
  }
}

void Core::Moved(const Run& run, const EventRecord& record) {
  LogInfo("run ", run.id, " ", Name(record.kind), " ", Name(record.from), " -> ", Name(record.to), ": ",
          record.message);
  if (FileExists(run.run_dir)) MirrorEvent(run, record);
  if (record.kind == EventKind::kAttemptGone || record.kind == EventKind::kAttemptFailed) {
    FailSaves(run, absl::StrCat("the attempt ended before the checkpoint was committed: ", record.message));
  }
  const bool still = IsStopped(run.state) && !run.live();
  if (run.live()) reserved_.erase(run.id);  // the row says it now
  if (still || (!run.live() && record.kind == EventKind::kAttemptGone)) {
    ReleaseNodes(run);
    capacity_freed_ = true;
    wake_timer_.notify_all();
  }
  if (IsFinal(run.state)) recipes_.Forget(run.id);
  if (still) run_stood_still_.notify_all();
  const v1::EventMessage event = MessageOf(record);
  const v1::RunSummary summary = SummaryOf(run);
  for (auto it = feeds_.begin(); it != feeds_.end();) {
    auto& [feed, subscription] = *it;
    if (subscription.run_id != run.id) {
      ++it;
      continue;
    }
    feed->OnEvent(event);
    feed->OnSummary(summary);
    if (still && (subscription.interest.until_stop || IsFinal(run.state))) {
      feed->OnEnd();
      it = feeds_.erase(it);
    } else {
      ++it;
    }
  }
}

}  // namespace galley::service
