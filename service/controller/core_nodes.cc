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
  MutexLock lock(mutex_);
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
  if (info.wire_version() != v1::Wire::CURRENT) return RefuseVersion(info);
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
  refused_.erase(info.name());
  node.info = info;
  node.link = link;
  node.attached = false;
  node.last_seen_unix_ms = absl::ToUnixMillis(clock_.Now());
  wake_planner_.notify_all();
  LogInfo("node ", info.name(), " attaches: ", info.cores(), " cores, ", info.isa(), ", trainerd ",
          info.version());
  return absl::OkStatus();
}

absl::Status Core::RefuseVersion(const v1::NodeInfo& info) {
  ForgetRefused();
  RefusedNode& refused = refused_[info.name()];
  const bool known = refused.info.incarnation() == info.incarnation() && !refused.why.empty();
  refused.info = info;
  refused.why = absl::StrCat("node ", info.name(), " is refused: its trainerd (", info.version(),
                             ") speaks wire version ", info.wire_version(), ", this controller (",
                             GALLEY_VERSION, ") ", static_cast<int>(v1::Wire::CURRENT),
                             "; install the same release on both, the node's ranks go on meanwhile");
  refused.last_seen_unix_ms = absl::ToUnixMillis(clock_.Now());
  refused.last_seen = clock_.SinceStart();
  if (!known) LogWarning(refused.why);
  return absl::FailedPreconditionError(refused.why);
}

void Core::ForgetRefused() {
  // A trainerd tries again every two seconds at most.
  constexpr absl::Duration kPatience = absl::Seconds(20);
  const absl::Duration oldest = clock_.SinceStart() - kPatience;
  std::erase_if(refused_, [&](const auto& entry) { return entry.second.last_seen < oldest; });
}

void Core::OnRunning(NodeEntry& node, const v1::RunningAttempts& running) {
  LivingAttempts living;
  for (const v1::AttemptStopped& a : running.attempts()) living.insert({a.run_id(), a.attempt()});
  node.attached = true;
  reconciler_.NodeAttached(node.info.name(), living);
  for (const auto& [run_id, attempt] : living) {
    absl::StatusOr<Run> run = store_->Get(run_id);
    if (run.ok() && run->attempt == attempt && run->placement.HostOf(0) == node.info.name()) PassShards(*run);
  }
}

absl::Status Core::OnNodeReport(NodeEntry& node, const v1::NodeReport& report) {
  if (report.has_running()) {
    OnRunning(node, report.running());
    return absl::OkStatus();
  }
  if (report.has_metrics()) {
    if (Live* live = LiveAt(report.metrics().run_id(), report.metrics().attempt())) {
      live->metrics_address = report.metrics().address();
    }
    return absl::OkStatus();
  }
  if (!report.has_rank()) return ApplyReport(node, report);
  const v1::Report& said = report.rank().report();
  if (said.has_step()) {
    OnStep(report.rank());
    return absl::OkStatus();
  }
  if (said.has_ready() || said.has_shard()) {
    absl::StatusOr<Run> run = store_->Get(report.rank().run_id());
    if (!run.ok()) return absl::IsNotFound(run.status()) ? absl::OkStatus() : run.status();
    said.has_ready() ? OnReady(*run, report.rank()) : OnShard(*run, report.rank());
    return absl::OkStatus();
  }
  return ApplyReport(node, report);
}

// What moves a run.
absl::Status Core::ApplyReport(const NodeEntry& node, const v1::NodeReport& report) {
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
  for (Event& event : EventsOf(report, LiveOf(run_id))) {
    event.node = node.info.name();
    absl::Status applied = reconciler_.Apply(run_id, event).status();
    // A run this store does not know (another controller's) is nothing to keep the report for.
    if (absl::IsNotFound(applied)) return absl::OkStatus();
    RETURN_IF_ERROR(applied);
  }
  if (report.has_rank() && report.rank().report().has_checkpoint()) {
    OnCommitted(report.rank());
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
    live.addresses.clear();
    live.met = false;
    live.shards.clear();
    live.committed_step = 0;
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

// Of an attempt that spans nodes: once the address of every rank is known, all are told all.
void Core::OnReady(const Run& run, const v1::RankReport& report) {
  if (report.attempt() != run.attempt || !run.live() || run.placement.HostOf(report.rank()).empty()) return;
  Live* live = LiveAt(run.id, report.attempt());
  if (live == nullptr) return;
  live->addresses[report.rank()] = report.report().ready().address();
  if (static_cast<int32_t>(live->addresses.size()) < run.plan.world) return;
  v1::Order peers;
  for (const auto& [rank, address] : live->addresses) peers.mutable_peers()->add_addresses(address);
  if (std::exchange(live->met, true)) {  // the order was lost with a node's stream
    ToRanks(run, run.placement.HostOf(report.rank()), report.rank(), std::move(peers));
    return;
  }
  for (const Placement::Node& node : run.placement.nodes) ToRanks(run, node.name, -1, peers);
}

// A shard that another node than rank 0's has written. Kept until its checkpoint is committed, so that it can
// be told again.
void Core::OnShard(const Run& run, const v1::RankReport& report) {
  if (report.attempt() != run.attempt || !run.live()) return;
  Live* live = LiveAt(run.id, report.attempt());
  if (live == nullptr) return;
  const v1::ShardReport& shard = report.report().shard();
  if (shard.step() <= live->committed_step) {  // the word of it was lost with the node's stream
    SendCommitted(run, run.placement.HostOf(report.rank()), live->committed_step);
    return;
  }
  live->shards[{shard.step(), report.rank()}] = shard;
  v1::Order order;
  *order.mutable_shard() = shard;
  ToRanks(run, run.placement.HostOf(0), 0, std::move(order));
}

void Core::SendCommitted(const Run& run, const std::string& node, int64_t step) {
  v1::NodeOrder order;
  order.mutable_committed()->set_run_id(run.id);
  order.mutable_committed()->set_attempt(run.attempt);
  order.mutable_committed()->set_step(step);
  SendTo(node, std::move(order));
}

void Core::PassShards(const Run& run) {
  const Live* live = LiveOf(run.id);
  if (live == nullptr || live->attempt != run.attempt) return;
  for (const auto& [of, shard] : live->shards) {
    v1::Order order;
    *order.mutable_shard() = shard;
    ToRanks(run, run.placement.HostOf(0), 0, std::move(order));
  }
}

void Core::OnCommitted(const v1::RankReport& report) {
  const v1::CheckpointCommitted& committed = report.report().checkpoint();
  const std::string& run_id = report.run_id();
  auto live = live_.find(run_id);
  if (live == live_.end()) return;
  // A late word of an earlier attempt says nothing of this one's shards.
  if (committed.error().empty() && report.attempt() == live->second.attempt) {
    live->second.committed_step = std::max(live->second.committed_step, committed.step());
    std::erase_if(live->second.shards,
                  [&](const auto& shard) { return shard.second.step() <= committed.step(); });
    if (absl::StatusOr<Run> run = store_->Get(run_id); run.ok() && run->attempt == live->second.attempt) {
      for (const Placement::Node& node : run->placement.nodes) {
        if (node.name != run->placement.HostOf(0)) SendCommitted(*run, node.name, committed.step());
      }
    }
  }
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
  MutexLock lock(mutex_);
  NodeEntry* node = EntryOf(link);
  if (node == nullptr) return;
  LogInfo("node ", node->info.name(), " is away");
  node->link = nullptr;
  node->attached = false;
  reconciler_.NodeDetached(node->info.name());
}

v1::NodesReply Core::Nodes() {
  MutexLock lock(mutex_);
  ForgetRefused();
  std::map<std::string, v1::NodeMessage> nodes;
  for (const auto& [name, node] : nodes_) {
    v1::NodeMessage& m = nodes[name];
    *m.mutable_info() = node.info;
    m.set_last_seen_unix_ms(node.last_seen_unix_ms);
    m.set_state(node.attached ? v1::NodeState::READY : v1::NodeState::AWAY);
  }
  for (const auto& [name, refused] : refused_) {
    if (Attached(name)) continue;  // another one, under the name of this
    v1::NodeMessage& m = nodes[name];
    *m.mutable_info() = refused.info;
    m.set_last_seen_unix_ms(refused.last_seen_unix_ms);
    m.set_state(v1::NodeState::REFUSED);
  }
  const std::vector<Run> runs = store_->List().value_or(std::vector<Run>());
  v1::NodesReply reply;
  for (auto& [name, m] : nodes) {
    for (const Run& run : runs) {
      if (run.placement.LivesOn(name)) m.add_runs(run.id);
    }
    if (m.state() == v1::NodeState::READY && !m.runs().empty()) m.set_state(v1::NodeState::BUSY);
    *reply.add_nodes() = std::move(m);
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
