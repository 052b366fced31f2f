// The reconciler's eyes and hands.
#include <sys/sysinfo.h>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "service/controller/attempt.h"
#include "service/controller/core.h"
#include "service/controller/run_dir.h"
#include "service/controller/summary.h"

namespace galley::service {

const Live* Core::LiveOf(const std::string& run_id) const {
  auto found = live_.find(run_id);
  return found == live_.end() ? nullptr : &found->second;
}

// Of the nodes seen; before any has come, of this machine, which is where the local launcher's ranks will
// run.
int64_t Core::LargestNode() const {
  int64_t largest = 0;
  for (const auto& [name, node] : nodes_) largest = std::max(largest, node.info.memory_bytes());
  struct sysinfo info;
  if (largest == 0 && sysinfo(&info) == 0) largest = static_cast<int64_t>(info.totalram) * info.mem_unit;
  return largest;
}

absl::StatusOr<std::string> Core::Place(const Run& run) {
  if (winding_down_) return absl::UnavailableError("another controller: this one ends");
  ASSIGN_OR_RETURN(std::vector<Run> runs, store_->List());
  std::vector<launcher::Node> nodes;
  for (const auto& [name, entry] : nodes_) {
    if (!entry.attached) continue;
    launcher::Node node{.name = name, .cores = entry.info.cores(), .memory_bytes = entry.info.memory_bytes()};
    for (const Run& other : runs) {
      if (!other.live || other.node != name) continue;
      node.busy_cores += other.threads_per_rank == 0 ? node.cores : other.world * other.threads_per_rank;
      node.busy_bytes += other.world * other.bytes_per_rank;
    }
    nodes.push_back(node);
  }
  const launcher::Request request{
      .ranks = run.world, .threads_per_rank = run.threads_per_rank, .bytes_per_rank = run.bytes_per_rank};
  ASSIGN_OR_RETURN(std::vector<std::string> placed, launcher_->Place(request, nodes));
  return placed.front();
}

void Core::PlanAttempt(const Run& run, const std::string& node) {
  to_plan_.emplace_back(run, node);
  wake_planner_.notify_all();
}

void Core::Planner() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_planner_.wait(lock, [&] { return stopping_ || !to_plan_.empty(); });
    if (stopping_) return;
    auto [run, node] = std::move(to_plan_.front());
    to_plan_.pop_front();
    const v1::NodeInfo info = nodes_[node].info;
    lock.unlock();
    absl::StatusOr<Base> base = ChooseBase(run);
    // A recipe that does not fit the node is told now, as what holds the run, and not after ranks were
    // promised.
    if (absl::Status fits = MakeAttempt(run, info).status(); base.ok() && !fits.ok()) base = fits;
    lock.lock();
    reconciler_.Planned(run.id, node, std::move(base));
    wake_timer_.notify_all();
  }
}

bool Core::Attached(const std::string& node) const {
  auto entry = nodes_.find(node);
  return entry != nodes_.end() && entry->second.attached;
}

void Core::Send(const Run& run, Order order) {
  v1::NodeOrder message;
  switch (order) {
    case Order::kNone:
      return;
    case Order::kRun: {
      absl::StatusOr<v1::EnsureAttempt> attempt = MakeAttempt(run, nodes_.at(run.node).info);
      if (attempt.ok()) {
        *message.mutable_ensure() = *std::move(attempt);
        break;
      }
      // The planner has made the same order before; what changed is the node, and it tells so when it comes
      // back.
      LogError("run ", run.id, ": ", attempt.status().message());
      return;
    }
    case Order::kSaveAndStop: {
      v1::RankOrder& to_rank = *message.mutable_rank_order();
      to_rank.set_run_id(run.id);
      to_rank.set_attempt(run.attempt);
      to_rank.set_rank(-1);
      to_rank.mutable_order()->mutable_stop()->set_save(true);
      to_rank.mutable_order()->mutable_stop()->set_reason(std::string(Name(run.stop)));
      break;
    }
    case Order::kStop:
      message.mutable_stopped()->set_run_id(run.id);
      message.mutable_stopped()->set_attempt(run.attempt);
      message.mutable_stopped()->set_reason(run.reason);
      break;
  }
  SendTo(run.node, std::move(message));
}

void Core::StopStranger(const std::string& node, const std::string& run_id, int64_t attempt) {
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
  if (!run.live && record.kind == EventKind::kAttemptGone) {
    capacity_freed_ = true;
    wake_timer_.notify_all();
  }
  const bool still = IsStopped(run.state) && !run.live;
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
