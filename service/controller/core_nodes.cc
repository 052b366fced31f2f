// Nodes: their reports up, orders down.
#include "absl/strings/str_cat.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/metrics/report.h"
#include "service/controller/core.h"
#include "service/controller/reports.h"
#include "service/controller/summary.h"

namespace galley::service {

Core::NodeEntry* Core::EntryOf(NodeLink* link) {
  for (auto& [name, node] : nodes_) {
    if (node.link == link) return &node;
  }
  return nullptr;
}

absl::Status Core::OnReport(NodeLink* link, const v1::NodeReport& report) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_) return absl::UnavailableError("the controller ends");
  if (report.has_hello()) return OnHello(link, report.hello());
  NodeEntry* node = EntryOf(link);
  if (node == nullptr) return absl::FailedPreconditionError("the first report of a stream is hello");
  node->last_seen_unix_ms = absl::ToUnixMillis(clock_.Now());
  RETURN_IF_ERROR(OnNodeReport(*node, report));
  if (report.sequence() > 0) {
    v1::NodeOrder order;
    order.mutable_ack()->set_sequence(report.sequence());
    link->Send(order);
  }
  wake_timer_.notify_all();
  return absl::OkStatus();
}

absl::Status Core::OnHello(NodeLink* link, const v1::NodeInfo& info) {
  if (info.name().empty()) return absl::InvalidArgumentError("hello: a node has a name");
  NodeEntry& node = nodes_[info.name()];
  if (node.link != nullptr && node.link != link) {
    if (node.info.incarnation() != info.incarnation()) {
      return absl::AlreadyExistsError(absl::StrCat("a trainerd is attached already as node ", info.name(),
                                                   "; stop it, or give this one another --name"));
    }
    // The same trainerd again: its old stream is dead and does not know it yet.
    node.attached = false;
    reconciler_.NodeDetached(info.name());
  }
  node.info = info;
  node.link = link;
  node.attached = false;
  node.last_seen_unix_ms = absl::ToUnixMillis(clock_.Now());
  LogInfo("node ", info.name(), " attaches: ", info.cores(), " cores, ", info.isa(), ", trainerd ",
          info.version());
  return absl::OkStatus();
}

absl::Status Core::OnNodeReport(NodeEntry& node, const v1::NodeReport& report) {
  if (report.has_running()) {
    LivingAttempts living;
    for (const v1::AttemptStopped& a : report.running().attempts()) living.insert({a.run_id(), a.attempt()});
    node.attached = true;
    reconciler_.NodeAttached(node.info.name(), living);
    return absl::OkStatus();
  }
  if (report.has_metrics()) {
    if (Live* live = LiveAt(report.metrics().run_id(), report.metrics().attempt())) {
      live->metrics_address = report.metrics().address();
    }
    return absl::OkStatus();
  }
  if (report.has_rank() && report.rank().report().has_step()) {
    OnStep(report.rank());
    return absl::OkStatus();
  }
  std::string run_id;
  if (report.has_rank()) {
    run_id = report.rank().run_id();
  } else if (report.has_exited()) {
    run_id = report.exited().run_id();
  } else if (report.has_hung()) {
    run_id = report.hung().run_id();
  } else if (report.has_attempt_stopped()) {
    run_id = report.attempt_stopped().run_id();
  }
  for (const Event& event : EventsOf(report, LiveOf(run_id))) {
    absl::Status applied = reconciler_.Apply(run_id, event).status();
    // A run this store does not know (another controller's) is nothing to keep the report for.
    if (absl::IsNotFound(applied)) return absl::OkStatus();
    RETURN_IF_ERROR(applied);
  }
  if (report.has_rank() && report.rank().report().has_checkpoint()) {
    OnCommitted(run_id, report.rank().report().checkpoint());
  }
  return absl::OkStatus();
}

// nullptr for news of an overtaken attempt; what was known of it is forgotten at the first of a newer one.
Live* Core::LiveAt(const std::string& run_id, int64_t attempt) {
  Live& live = live_[run_id];
  if (attempt < live.attempt) return nullptr;
  if (attempt > live.attempt) {
    live.attempt = attempt;
    live.recent.clear();
    live.latest.ForgetStep();
    live.metrics_address.clear();
  }
  return &live;
}

void Core::OnStep(const v1::RankReport& report) {
  Live* known = LiveAt(report.run_id(), report.attempt());
  if (known == nullptr) return;
  Live& live = *known;
  const metrics::StepRecord step = metrics::FromReport(report.report().step());
  if (!live.recent.empty() && step.step() <= live.recent.back().step()) return;
  live.recent.push_back(step);
  if (live.recent.size() > Live::kRecent) live.recent.pop_front();
  live.latest.Follow(step);
  for (auto& [feed, subscription] : feeds_) {
    if (subscription.run_id == report.run_id()) feed->OnStep(report.report().step());
  }
}

void Core::OnCommitted(const std::string& run_id, const v1::CheckpointCommitted& committed) {
  auto live = live_.find(run_id);
  if (live == live_.end()) return;
  auto save = live->second.saves.find(committed.request_id());
  if (save == live->second.saves.end()) return;
  const Live::SaveDone done = std::move(save->second);
  live->second.saves.erase(save);
  if (!committed.error().empty()) {
    done(absl::InternalError(absl::StrCat("the checkpoint failed: ", committed.error())));
    return;
  }
  v1::SaveReply reply;
  reply.set_step(committed.step());
  reply.set_path(committed.path());
  done(std::move(reply));
}

void Core::FailSaves(const Run& run, const std::string& why) {
  auto live = live_.find(run.id);
  if (live == live_.end()) return;
  std::map<std::string, Live::SaveDone> saves;
  saves.swap(live->second.saves);
  for (const auto& [id, done] : saves) done(absl::AbortedError(why));
}

void Core::OnDetach(NodeLink* link) {
  std::lock_guard<std::mutex> lock(mutex_);
  NodeEntry* node = EntryOf(link);
  if (node == nullptr) return;
  LogInfo("node ", node->info.name(), " is away");
  node->link = nullptr;
  node->attached = false;
  reconciler_.NodeDetached(node->info.name());
}

v1::NodesReply Core::Nodes() {
  std::lock_guard<std::mutex> lock(mutex_);
  v1::NodesReply reply;
  absl::StatusOr<std::vector<Run>> runs = store_->List();
  for (const auto& [name, node] : nodes_) {
    v1::NodeMessage& m = *reply.add_nodes();
    *m.mutable_info() = node.info;
    m.set_last_seen_unix_ms(node.last_seen_unix_ms);
    bool busy = false;
    if (runs.ok()) {
      for (const Run& run : *runs) {
        if (!run.live || run.node != name) continue;
        m.add_runs(run.id);
        busy = true;
      }
    }
    m.set_state(!node.attached ? v1::NodeState::AWAY : busy ? v1::NodeState::BUSY : v1::NodeState::READY);
  }
  return reply;
}

void Core::SendTo(const std::string& node, v1::NodeOrder order) {
  auto entry = nodes_.find(node);
  if (entry == nodes_.end() || entry->second.link == nullptr) return;
  order.set_id(next_order_++);
  entry->second.link->Send(order);
}

}  // namespace galley::service
