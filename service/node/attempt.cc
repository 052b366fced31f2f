#include "service/node/attempt.h"

#include <algorithm>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "service/view/names.h"

namespace galley::service {
namespace {

// The connection of a dead process ends at once; if it does not (the rank left a child behind that holds it),
// the exit record is not kept waiting longer than this.
constexpr absl::Duration kDrainLimit = absl::Seconds(1);

absl::Duration Now() { return Clock::Real().SinceStart(); }

bool Clean(const Process::End& end, const std::optional<v1::Finished>& finished) {
  if (!finished.has_value() || end.signal != 0 || end.code > 0) return false;
  return finished->outcome() == v1::Finished::COMPLETED || finished->outcome() == v1::Finished::STOPPED;
}

// A rank's threads are its own: the number is fixed (results depend on it) and not bound to cores. Binding
// would put every rank's first thread on the same first core, and the rank's helper threads (data,
// checkpoint, link) with it.
std::vector<std::pair<std::string, std::string>> RankEnvironment(int threads) {
  std::vector<std::pair<std::string, std::string>> env = {{"OMP_DYNAMIC", "false"},
                                                          {"OMP_PROC_BIND", "false"}};
  if (threads > 0) env.emplace_back("OMP_NUM_THREADS", absl::StrCat(threads));
  return env;
}

v1::Order AbortOrder(const std::string& reason) {
  v1::Order order;
  order.mutable_abort()->set_reason(reason);
  return order;
}

}  // namespace

std::string RankLog(const std::string& run_dir, int64_t attempt, int rank) {
  return JoinPath(run_dir, absl::StrCat("logs/attempt-", attempt, ".rank-", rank, ".log"));
}

Attempt::Attempt(AttemptHost& host, v1::EnsureAttempt ensure)
    : host_(host),
      ensure_(std::move(ensure)),
      watchdog_(absl::Seconds(ensure_.hang_seconds() > 0 ? ensure_.hang_seconds() : 300)) {
  for (const v1::RankPart& part : ensure_.ranks()) ranks_[part.rank()];
}

Attempt::~Attempt() {
  *alive_ = false;
  host_.loop().Cancel(watchdog_timer_);
  host_.loop().Cancel(kill_timer_);
  for (auto& [number, rank] : ranks_) {
    if (rank.process.pidfd() >= 0) host_.loop().Unwatch(rank.process.pidfd());
    if (rank.session != 0) host_.server().Forget(rank.session);
  }
}

bool Attempt::HostsAll() const { return static_cast<int>(ranks_.size()) == ensure_.common().world(); }

v1::Start Attempt::StartOf(int number) const {
  v1::Start start = ensure_.common();
  start.set_run_id(ensure_.run_id());
  start.set_run_name(ensure_.run_name());
  start.set_run_dir(ensure_.run_dir());
  start.set_attempt(ensure_.attempt());
  start.set_rank(number);
  return start;
}

void Attempt::SaveState() {
  v1::AttemptState state;
  *state.mutable_ensure() = ensure_;
  state.set_boot_id(BootId());
  state.set_over(over());
  if (over()) {
    state.mutable_ensure()->clear_common();
    state.mutable_ensure()->clear_ranks();
  }
  for (const auto& [number, rank] : ranks_) {
    v1::RankState* out = state.add_ranks();
    out->set_rank(number);
    out->set_pid(rank.process.identity().pid);
    out->set_start_time(rank.process.identity().start_time);
    out->set_ended(!rank.living);
    if (rank.finished.has_value()) *out->mutable_finished() = *rank.finished;
    for (const auto& [step, shard] : rank.shards) *out->add_shards() = shard;
  }
  absl::Status status = AtomicWrite(host_.StatePath(run_id()), state.SerializeAsString(), 0600);
  if (!status.ok()) LogError("state of run ", run_id(), ": ", status.message());
}

absl::Status Attempt::SpawnAll() {
  RETURN_IF_ERROR(MakeDirs(JoinPath(ensure_.run_dir(), "logs")));
  std::map<int, HeldProcess> held;
  for (auto& [number, rank] : ranks_) {
    SpawnOptions options;
    options.argv = {host_.rank_binary(),  "--run",           ensure_.run_name(),
                    "--run-dir",          ensure_.run_dir(), "--rank",
                    absl::StrCat(number), "--socket",        host_.socket_path()};
    options.environment = RankEnvironment(ensure_.common().threads());
    options.log_path = RankLog(ensure_.run_dir(), ensure_.attempt(), number);
    ASSIGN_OR_RETURN(HeldProcess process, HeldProcess::Spawn(options));
    held.emplace(number, std::move(process));
  }
  // From here on a restarted trainerd finds them; before, the held children end with us.
  v1::AttemptState state;
  *state.mutable_ensure() = ensure_;
  state.set_boot_id(BootId());
  for (const auto& [number, process] : held) {
    v1::RankState* out = state.add_ranks();
    out->set_rank(number);
    out->set_pid(process.identity().pid);
    out->set_start_time(process.identity().start_time);
  }
  RETURN_IF_ERROR(AtomicWrite(host_.StatePath(run_id()), state.SerializeAsString(), 0600));
  for (auto& [number, process] : held) ranks_[number].process = std::move(process).Release();
  return absl::OkStatus();
}

void Attempt::Start() {
  CHECK(!began_);
  began_ = true;
  for (auto& [number, rank] : ranks_) rank.living = true;
  living_ = static_cast<int>(ranks_.size());
  if (ranks_.count(0) > 0) host_.SinksOf(ensure_);  // opened now, so that its address is known
  if (absl::Status status = SpawnAll(); !status.ok()) {
    LogError("run ", ensure_.run_name(), " attempt ", number(), ": ", status.message());
    aborting_ = true;
    for (auto& [number, rank] : ranks_) {
      rank.end = Process::End{127, 0};
      v1::Finished finished;
      finished.set_outcome(v1::Finished::INTERNAL);
      finished.set_message(absl::StrCat("the rank could not be started: ", status.message()));
      rank.finished = finished;
    }
    for (auto& [number, rank] : ranks_) Finish(number);
    return;
  }
  LogInfo("run ", ensure_.run_name(), " attempt ", number(), ": ", living_, " ranks started");
  for (auto& [number, rank] : ranks_) Watch(number);
  StartWatchdog();
}

void Attempt::Adopt(const v1::AttemptState& state) {
  CHECK(!began_);
  began_ = true;
  std::vector<int> gone;
  for (const v1::RankState& was : state.ranks()) {
    auto it = ranks_.find(was.rank());
    if (it == ranks_.end()) continue;
    Rank& rank = it->second;
    if (was.has_finished()) {
      rank.finished = was.finished();
      rank.step = was.finished().step();
    }
    for (const v1::ShardReport& shard : was.shards()) rank.shards[shard.step()] = shard;
    if (was.ended()) continue;
    rank.living = true;
    ++living_;
    absl::StatusOr<Process> process = Process::Adopt({was.pid(), was.start_time(), state.boot_id()});
    if (process.ok()) {
      rank.process = *std::move(process);
    } else {
      gone.push_back(was.rank());
    }
  }
  LogInfo("run ", ensure_.run_name(), " attempt ", number(), ": ", living_ - static_cast<int>(gone.size()),
          " ranks adopted, ", gone.size(), " ended while nobody watched");
  for (auto& [number, rank] : ranks_) {
    if (rank.process.pidfd() >= 0) Watch(number);
  }
  if (ranks_.count(0) > 0) host_.SinksOf(ensure_);
  StartWatchdog();
  for (int number : gone) {
    ranks_[number].end = Process::End{};
    Finish(number);
  }
  if (over() && gone.empty()) EndAttempt();
}

void Attempt::Watch(int number) {
  Rank& rank = ranks_[number];
  watchdog_.Started(number, Now());
  host_.loop().Watch(rank.process.pidfd(), false, [this, number](bool, bool) { ProcessEnded(number); });
}

void Attempt::ProcessEnded(int number) {
  Rank& rank = ranks_[number];
  host_.loop().Unwatch(rank.process.pidfd());
  rank.end = rank.process.Reap();
  watchdog_.Ended(number);
  const bool failed = rank.end->code > 0 || rank.end->signal != 0;
  if (failed) AbortOthers(absl::StrCat("rank ", number, " has ended"));
  if (!rank.connected) {
    Finish(number);
    return;
  }
  host_.loop().After(kDrainLimit, [this, number, alive = alive_] {
    if (*alive && ranks_[number].living) Finish(number);
  });
}

void Attempt::Finish(int number) {
  Rank& rank = ranks_[number];
  if (!rank.living) return;
  rank.living = false;
  --living_;
  watchdog_.Ended(number);
  if (!Clean(*rank.end, rank.finished)) AbortOthers(absl::StrCat("rank ", number, " has ended"));
  v1::NodeReport report;
  v1::RankExited* exited = report.mutable_exited();
  exited->set_run_id(run_id());
  exited->set_attempt(this->number());
  exited->set_rank(number);
  exited->set_code(rank.end->code);
  exited->set_signal(rank.end->signal);
  exited->set_log_tail(LogTail(RankLog(ensure_.run_dir(), this->number(), number)));
  if (rank.finished.has_value()) *exited->mutable_finished() = *rank.finished;
  exited->set_step(rank.step);
  LogInfo("run ", ensure_.run_name(), " attempt ", this->number(), ": rank ", number, " ended, status ",
          rank.end->code, ", signal ", rank.end->signal);
  host_.Report(std::move(report), Spool::Keep::kSynced);
  if (rank.session != 0) host_.server().Forget(rank.session);
  // Shards that waited for this rank will not be taken any more.
  if (number == 0) {
    for (const auto& [order, from] : shards_) host_.server().Done(from.first, from.second);
    for (const HeldShard& shard : held_shards_) host_.server().Done(shard.session, shard.sequence);
    shards_.clear();
    held_shards_.clear();
  }
  SaveState();
  if (living_ == 0) EndAttempt();
}

void Attempt::EndAttempt() {
  host_.loop().Cancel(watchdog_timer_);
  host_.loop().Cancel(kill_timer_);
  v1::NodeReport report;
  report.mutable_attempt_stopped()->set_run_id(run_id());
  report.mutable_attempt_stopped()->set_attempt(number());
  host_.Report(std::move(report), Spool::Keep::kSynced);
  host_.Over(run_id(), number());
}

void Attempt::AbortOthers(const std::string& reason) {
  if (aborting_) return;
  aborting_ = true;
  for (auto& [number, rank] : ranks_) {
    if (rank.living && !rank.end.has_value()) SendOrder(rank, AbortOrder(reason));
  }
  kill_timer_ = host_.loop().After(kAbortGrace, [this] { Kill(); });
}

void Attempt::Stop(const std::string& reason) {
  if (began_ && !over()) AbortOthers(reason);
}

void Attempt::Kill() {
  aborting_ = true;
  for (auto& [number, rank] : ranks_) {
    if (rank.living && !rank.end.has_value()) rank.process.Signal(SIGKILL);
  }
}

void Attempt::Order(int number, const v1::Order& order) {
  for (auto& [n, rank] : ranks_) {
    if ((number != -1 && number != n) || !rank.living) continue;
    if (order.has_peers() && std::exchange(rank.has_peers, true)) continue;
    SendOrder(rank, order);
  }
}

void Attempt::SendOrder(Rank& rank, const v1::Order& order) {
  if (rank.session == 0) {
    rank.waiting.push_back(order);
  } else {
    host_.server().Send(rank.session, order);
  }
}

void Attempt::StartWatchdog() {
  watchdog_timer_ = host_.loop().After(watchdog_.interval(), [this] { CheckHang(); });
}

void Attempt::CheckHang() {
  std::optional<Watchdog::Hang> hang;
  if (!aborting_) hang = watchdog_.Check(Now());
  if (hang.has_value()) {
    v1::NodeReport report;
    v1::RankHung* hung = report.mutable_hung();
    hung->set_run_id(run_id());
    hung->set_attempt(number());
    hung->set_rank(hang->rank);
    hung->set_step(hang->step);
    hung->set_phase(hang->phase);
    hung->set_seconds(absl::ToDoubleSeconds(hang->still));
    LogWarning("run ", ensure_.run_name(), " attempt ", number(), ": rank ", hang->rank, " hangs in ",
               view::NameOf(hang->phase), " at step ", hang->step);
    host_.Report(std::move(report), Spool::Keep::kSynced);
    ranks_[hang->rank].process.Signal(SIGKILL);
    AbortOthers(absl::StrCat("rank ", hang->rank, " hangs"));
  }
  StartWatchdog();
}

}  // namespace galley::service
