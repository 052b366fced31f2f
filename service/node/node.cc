#include "service/node/node.h"

#include <chrono>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/base/user_dirs.h"
#include "service/node/node_info.h"
#include "service/node/older_version.h"

namespace galley::service {
namespace {

constexpr absl::Duration kSampleGap = absl::Milliseconds(100);
constexpr size_t kMaxQueued = 1000;  // a controller so slow gets no samples
constexpr size_t kKeptRuns = 16;     // ended ones whose last metrics are still served

std::string Incarnation() {
  std::random_device random;
  return Hex((uint64_t{random()} << 32) | random());
}

// In the state folder; where that has too long a name for a socket, in the user's socket folder.
absl::StatusOr<std::string> SocketPath(const std::string& state_dir) {
  const std::string here = JoinPath(state_dir, "rank.sock");
  if (CheckSocketPath(here).ok()) return here;
  ASSIGN_OR_RETURN(std::string folder, SocketFolder());
  return JoinPath(folder, absl::StrCat("ranks-", Hex(Hash64(state_dir)), ".sock"));
}

}  // namespace

Node::Node(EventLoop& loop, NodeOptions options, FileLock lock, Spool spool)
    : loop_(loop),
      options_(std::move(options)),
      lock_(std::move(lock)),
      info_(DescribeNode(options_.name, Incarnation())),
      spool_(std::move(spool)) {}

Node::~Node() {
  *alive_ = false;
  for (EventLoop::Timer timer : {sample_timer_, orphan_timer_, stop_timer_}) loop_.Cancel(timer);
  uplink_.reset();
  runs_.clear();  // attempts speak with the server while they end
  server_.reset();
}

absl::StatusOr<std::unique_ptr<Node>> Node::Create(EventLoop& loop, NodeOptions options) {
  RETURN_IF_ERROR(MakeDirs(JoinPath(options.state_dir, "attempts"), 0700));
  absl::StatusOr<FileLock> lock = FileLock::Take(JoinPath(options.state_dir, "trainerd.lock"));
  if (absl::IsAborted(lock.status())) {
    return absl::AlreadyExistsError(absl::StrCat(
        options.state_dir, ": another trainerd uses this state folder; stop it or give another --state-dir (",
        lock.status().message(), ")"));
  }
  RETURN_IF_ERROR(lock.status());
  ASSIGN_OR_RETURN(Spool spool, Spool::Open(JoinPath(options.state_dir, "reports.spool")));
  std::unique_ptr<Node> node(new Node(loop, std::move(options), *std::move(lock), std::move(spool)));
  RETURN_IF_ERROR(node->Begin());
  return node;
}

absl::Status Node::Begin() {
  ASSIGN_OR_RETURN(socket_path_, SocketPath(options_.state_dir));
  ASSIGN_OR_RETURN(server_, link::Server::Listen(loop_, socket_path_, *this));
  RETURN_IF_ERROR(LoadStates());
  Uplink::Callbacks callbacks;
  callbacks.opened = [this] { Attached(); };
  callbacks.order = [this](const v1::NodeOrder& order) { OnOrder(order); };
  callbacks.closed = [] {};
  ASSIGN_OR_RETURN(uplink_, Uplink::Connect(loop_, options_.controller, std::move(callbacks)));
  if (options_.orphan_limit < absl::InfiniteDuration()) {
    orphan_timer_ = loop_.After(absl::Seconds(1), [this] { CheckOrphaned(); });
  }
  return absl::OkStatus();
}

std::string Node::StatePath(const std::string& run_id) const {
  return JoinPath(options_.state_dir, absl::StrCat("attempts/", Hex(Hash64(run_id)), ".state"));
}

absl::Status Node::LoadStates() {
  const std::string dir = JoinPath(options_.state_dir, "attempts");
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(dir));
  for (const std::string& name : names) {
    const std::string path = JoinPath(dir, name);
    if (!absl::EndsWith(name, ".state")) continue;  // a temporary file of a killed trainerd
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
    v1::AttemptState state;
    if (!state.ParseFromString(bytes)) {
      return absl::DataLossError(
          absl::StrCat(path,
                       ": cannot be read, so ranks may live that nobody watches; end them (ps shows "
                       "their run), then remove the file"));
    }
    FromOlderVersion(*state.mutable_ensure());
    Run& run = runs_[state.ensure().run_id()];
    run.highest = state.ensure().attempt();
    if (state.over()) continue;
    run.attempt = std::make_unique<Attempt>(*this, state.ensure());
    run.attempt->Adopt(state);
  }
  return absl::OkStatus();
}

void Node::Attached() {
  v1::NodeReport hello;
  *hello.mutable_hello() = info_;
  uplink_->Send(hello);
  for (const v1::NodeReport& report : spool_.pending()) uplink_->Send(report);
  v1::NodeReport running;
  running.mutable_running();
  for (const auto& [id, run] : runs_) {
    if (run.attempt == nullptr || run.attempt->over()) continue;
    v1::AttemptStopped* attempt = running.mutable_running()->add_attempts();
    attempt->set_run_id(id);
    attempt->set_attempt(run.attempt->number());
  }
  uplink_->Send(running);
  for (const auto& [id, run] : runs_) {
    SendMetricsAddress(id, run);
    if (run.attempt != nullptr) run.attempt->Attached();
  }
}

void Node::SendMetricsAddress(const std::string& run_id, const Run& run) {
  if (uplink_ == nullptr || run.sinks == nullptr || run.sinks->metrics_address().empty()) return;
  v1::NodeReport report;
  v1::MetricsAddress* metrics = report.mutable_metrics();
  metrics->set_run_id(run_id);
  metrics->set_attempt(run.highest);
  metrics->set_address(run.sinks->metrics_address());
  uplink_->Send(report);
}

void Node::OnOrder(const v1::NodeOrder& order) {
  switch (order.order_case()) {
    case v1::NodeOrder::kEnsure:
      Ensure(order.ensure());
      return;
    case v1::NodeOrder::kStopped:
      EnsureStopped(order.stopped());
      return;
    case v1::NodeOrder::kRankOrder:
      PassOrder(order.rank_order());
      return;
    case v1::NodeOrder::kCommitted:
      if (auto run = runs_.find(order.committed().run_id());
          run != runs_.end() && run->second.attempt != nullptr &&
          run->second.attempt->number() == order.committed().attempt()) {
        run->second.attempt->Committed(order.committed().step());
      }
      return;
    case v1::NodeOrder::kAck:
      spool_.Ack(order.ack().sequence());
      return;
    case v1::NodeOrder::kShutdown:
      if (on_shutdown_) on_shutdown_("the controller orders it");
      return;
    case v1::NodeOrder::ORDER_NOT_SET:
      return;  // of a newer controller
  }
}

void Node::AnswerStopped(const std::string& run_id, int64_t attempt) {
  v1::NodeReport report;
  report.mutable_attempt_stopped()->set_run_id(run_id);
  report.mutable_attempt_stopped()->set_attempt(attempt);
  Report(std::move(report), Spool::Keep::kWritten);
}

void Node::Ensure(const v1::EnsureAttempt& ensure) {
  if (stopping_) return;
  Run& run = runs_[ensure.run_id()];
  const bool lives = run.attempt != nullptr && !run.attempt->over();
  const bool known = (lives && run.attempt->number() == ensure.attempt()) ||
                     (run.next.has_value() && run.next->attempt() == ensure.attempt());
  if (known) return;
  if (ensure.attempt() <= run.highest) {
    AnswerStopped(ensure.run_id(), ensure.attempt());
    return;
  }
  run.highest = ensure.attempt();
  FromOlderVersion(run.next.emplace(ensure));
  if (lives) {
    LogWarning("run ", ensure.run_name(), ": attempt ", ensure.attempt(), " ends attempt ",
               run.attempt->number());
    run.attempt->Kill();  // no two attempts of a run ever live together
  } else {
    StartNext(run);
  }
}

void Node::StartNext(Run& run) {
  const v1::EnsureAttempt ensure = *std::exchange(run.next, std::nullopt);
  run.attempt = std::make_unique<Attempt>(*this, ensure);
  run.attempt->Start();
}

void Node::EnsureStopped(const v1::EnsureStopped& stopped) {
  Run& run = runs_[stopped.run_id()];
  run.highest = std::max(run.highest, stopped.attempt());
  if (run.next.has_value() && run.next->attempt() <= stopped.attempt()) run.next.reset();
  const bool lives = run.attempt != nullptr && !run.attempt->over();
  if (!lives || run.attempt->number() > stopped.attempt()) {
    AnswerStopped(stopped.run_id(), stopped.attempt());
    return;
  }
  // Its end is told by itself; the controller asked for this number, which may be higher.
  if (run.attempt->number() < stopped.attempt()) AnswerStopped(stopped.run_id(), stopped.attempt());
  run.attempt->Stop(stopped.reason());
}

void Node::PassOrder(const v1::RankOrder& order) {
  auto it = runs_.find(order.run_id());
  if (it == runs_.end() || it->second.attempt == nullptr || it->second.attempt->over() ||
      it->second.attempt->number() != order.attempt()) {
    AnswerStopped(order.run_id(), order.attempt());
    return;
  }
  it->second.attempt->Order(order.rank(), order.order());
}

void Node::Over(const std::string& run_id, int64_t attempt) {
  LogInfo("run ", run_id, " attempt ", attempt, ": no rank lives");
  std::erase_if(sessions_, [&](const auto& session) { return session.second == run_id; });
  if (Run& run = runs_[run_id]; run.sinks != nullptr) run.sinks->Rest();
  // Not from here: the attempt is still on the stack.
  loop_.Post([this, run_id, alive = alive_] {
    if (!*alive) return;
    Run& run = runs_[run_id];
    if (run.next.has_value() && (run.attempt == nullptr || run.attempt->over())) StartNext(run);
    MaybeAllStopped();
  });
  size_t ended = 0;
  for (const auto& [id, run] : runs_)
    ended += run.sinks != nullptr && run.attempt != nullptr && run.attempt->over();
  for (auto it = runs_.begin(); it != runs_.end() && ended > kKeptRuns; ++it) {
    if (it->first == run_id || it->second.sinks == nullptr || it->second.attempt == nullptr ||
        !it->second.attempt->over()) {
      continue;
    }
    // Closing an endpoint takes up to two seconds, which the loop does not have.
    closing_.remove_if(
        [](auto& closing) { return closing.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    closing_.push_back(
        std::async(std::launch::async, [sinks = std::move(it->second.sinks)]() mutable { sinks.reset(); }));
    --ended;
  }
}

bool Node::AnyLiving() const {
  for (const auto& [id, run] : runs_) {
    if (run.attempt != nullptr && !run.attempt->over()) return true;
  }
  return false;
}

void Node::StopAll(const std::string& reason, absl::Duration grace, std::function<void()> done) {
  all_stopped_ = std::move(done);
  stopping_ = true;
  v1::Order stop;
  stop.mutable_stop()->set_save(true);
  stop.mutable_stop()->set_reason(reason);
  for (auto& [id, run] : runs_) {
    run.next.reset();
    if (run.attempt == nullptr || run.attempt->over()) continue;
    if (grace > absl::ZeroDuration()) {
      run.attempt->Order(-1, stop);
    } else {
      run.attempt->Stop(reason);
    }
  }
  loop_.Cancel(stop_timer_);
  if (grace > absl::ZeroDuration()) {
    stop_timer_ = loop_.After(grace, [this] {
      for (auto& [id, run] : runs_) {
        if (run.attempt != nullptr && !run.attempt->over()) run.attempt->Kill();
      }
    });
  }
  loop_.Post([this, alive = alive_] {
    if (*alive) MaybeAllStopped();
  });
}

void Node::MaybeAllStopped() {
  if (!stopping_ || AnyLiving()) return;
  for (auto& [id, run] : runs_) {
    if (run.sinks != nullptr) run.sinks->Drain();
  }
  if (auto done = std::exchange(all_stopped_, nullptr)) done();
}

void Node::CheckOrphaned() {
  if (uplink_->away() > options_.orphan_limit && !stopping_) {
    LogError("no controller for ", absl::FormatDuration(options_.orphan_limit),
             "; a private trainerd ends then");
    if (on_shutdown_) on_shutdown_("the controller is gone");
    return;
  }
  orphan_timer_ = loop_.After(absl::Seconds(1), [this] { CheckOrphaned(); });
}

absl::Status Node::OnHello(link::Session session, const v1::Hello& hello) {
  for (auto& [id, run] : runs_) {
    if (run.attempt == nullptr || !run.attempt->Hello(session, hello)) continue;
    sessions_[session] = id;
    return absl::OkStatus();
  }
  return absl::NotFoundError(
      absl::StrCat("process ", hello.pid(), " is no rank of any attempt that lives here"));
}

void Node::OnReport(link::Session session, uint64_t sequence, v1::Report report) {
  auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  runs_[it->second].attempt->OnReport(session, sequence, report);
}

void Node::OnDisconnect(link::Session session) {
  auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  const std::string id = it->second;
  sessions_.erase(it);
  runs_[id].attempt->OnDisconnect(session);
}

void Node::OnOrderTaken(link::Session session, uint64_t sequence) {
  auto it = sessions_.find(session);
  if (it != sessions_.end()) runs_[it->second].attempt->OnOrderTaken(session, sequence);
}

RunSinks& Node::SinksOf(const v1::EnsureAttempt& ensure) {
  Run& run = runs_[ensure.run_id()];
  if (run.sinks == nullptr) {
    run.sinks =
        RunSinks::Open(ensure, info_.name(),
                       [this, id = ensure.run_id(), attempt = ensure.attempt(), alive = alive_,
                        &loop = loop_](const std::string& message) {
                         loop.Post([this, id, attempt, alive, message] {
                           if (!*alive) return;
                           LogWarning("run ", id, ": ", message);
                           v1::NodeReport report;
                           v1::RankReport* rank = report.mutable_rank();
                           rank->set_run_id(id);
                           rank->set_attempt(attempt);
                           rank->mutable_report()->mutable_notice()->set_kind(v1::NoticeKind::METRICS);
                           rank->mutable_report()->mutable_notice()->set_message(message);
                           Report(std::move(report), Spool::Keep::kWritten);
                         });
                       });
    SendMetricsAddress(ensure.run_id(), run);
  }
  return *run.sinks;
}

void Node::Report(v1::NodeReport report, Spool::Keep keep) {
  // A step that was sampled goes up before what came after it.
  for (auto& [id, run] : runs_) SendSample(run);
  const v1::NodeReport* kept = spool_.Append(std::move(report), keep);
  if (kept != nullptr && uplink_ != nullptr) uplink_->Send(*kept);
}

void Node::Tell(v1::NodeReport report) {
  if (uplink_ != nullptr) uplink_->Send(report);
}

void Node::Sample(v1::RankReport step, bool counts) {
  Run& run = runs_[step.run_id()];
  run.sample = std::move(step);
  if (counts) SendSample(run);
  if (sample_timer_ == 0) sample_timer_ = loop_.After(kSampleGap, [this] { SendSamples(); });
}

void Node::SendSamples() {
  sample_timer_ = 0;
  for (auto& [id, run] : runs_) SendSample(run);
}

void Node::SendSample(Run& run) {
  if (!run.sample.has_value()) return;
  v1::NodeReport report;
  *report.mutable_rank() = *std::exchange(run.sample, std::nullopt);
  if (uplink_ != nullptr && uplink_->queued() < kMaxQueued) uplink_->Send(report);
}

}  // namespace galley::service
