// What users ask for. Nodes: core_nodes.cc; the reconciler's hands: core_world.cc.
#include "service/controller/core.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/run_id.h"
#include "runtime/base/status.h"
#include "runtime/metrics/report.h"
#include "service/controller/run_dir.h"
#include "service/controller/submission.h"
#include "service/controller/summary.h"
#include "service/run/messages.h"

namespace galley::service {
namespace {

absl::Status NodeAway(const std::string& node) {
  absl::Status status =
      absl::UnavailableError(absl::StrCat("node ", node, " is away; try again when it is back"));
  v1::ErrorDetail detail;
  detail.mutable_node_away()->set_node(node);
  status.SetPayload(v1::ErrorDetail::descriptor()->full_name(), absl::Cord(detail.SerializeAsString()));
  return status;
}

// Of runs that go on; those that are over are shown with what is known. A recipe that this version cannot
// prepare holds its run when its next attempt is planned. Parses recipes, so it is not for the lock, which
// nobody needs before the store has been looked through.
absl::Status DeriveMissingPlans(Store& store, PreparedRecipes& recipes) {
  ASSIGN_OR_RETURN(const std::vector<Run> runs, store.List());
  for (const Run& run : runs) {
    if (run.plan.version == kRunPlanVersion || IsFinal(run.state)) continue;
    const absl::StatusOr<PreparedRecipes::Prepared> prepared = recipes.Of(run);
    if (!prepared.ok()) {
      LogWarning("run ", run.id, ": ", prepared.status().message());
      continue;
    }
    RETURN_IF_ERROR(store.KeepPlan(run.id, RunPlanOf(**prepared, run.run_dir)));
  }
  return absl::OkStatus();
}

v1::SubmitReply ReplyOf(const Run& run) {
  v1::SubmitReply reply;
  reply.set_run_id(run.id);
  reply.set_run_dir(run.run_dir);
  return reply;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Core>> Core::Create(const std::string& state_dir, const Clock& clock,
                                                   launcher::Launchers launchers) {
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(state_dir));
  Store& opened = *store;
  auto core = std::unique_ptr<Core>(new Core(std::move(store), clock, std::move(launchers)));
  RETURN_IF_ERROR(DeriveMissingPlans(opened, core->recipes_));
  MutexLock lock(core->mutex_);
  RETURN_IF_ERROR(core->reconciler_.Load());
  core->timer_ = std::thread(&Core::Timer, core.get());
  core->planner_ = std::thread(&Core::Planner, core.get());
  return core;
}

Core::Core(std::unique_ptr<Store> store, const Clock& clock, launcher::Launchers launchers)
    : clock_(clock),
      store_(std::move(store)),
      launchers_(std::move(launchers)),
      reconciler_(*store_, *this, clock) {}

void Core::Close() {
  std::map<std::string, Live> live;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_timer_.notify_all();
    wake_planner_.notify_all();
    live.swap(live_);
  }
  for (auto& [id, known] : live) {
    for (auto& [request, done] : known.saves) {
      done(absl::AbortedError("the controller ends; the ranks save all the same"));
    }
  }
}

Core::~Core() {
  Close();
  if (timer_.joinable()) timer_.join();
  if (planner_.joinable()) planner_.join();
}

// The reply to a submission that was answered before.
std::optional<v1::SubmitReply> Core::Repeated(const v1::SubmitRequest& request) const {
  if (request.idempotency_key().empty()) return std::nullopt;
  const absl::StatusOr<Run> known = store_->FindByKey(request.idempotency_key());
  if (!known.ok()) return std::nullopt;
  return ReplyOf(*known);
}

absl::StatusOr<v1::SubmitReply> Core::Submit(const v1::SubmitRequest& request) {
  int64_t memory_bytes = 0;
  {
    MutexLock lock(mutex_);
    if (winding_down_) return absl::FailedPreconditionError("this controller is about to end");
    if (const auto reply = Repeated(request)) return *reply;
    memory_bytes = LargestNode();
  }
  ASSIGN_OR_RETURN(Submission submission, CheckSubmission(request, memory_bytes, largest_ids_));
  v1::SubmitReply reply;
  AddFaults(submission.faults, reply.mutable_faults());
  if (!submission.run) return reply;
  absl::StatusOr<NewRunDir> run_dir = NewRunDir::Make(*submission.run, submission.plan_json);

  MutexLock lock(mutex_);
  if (!run_dir.ok()) {
    // The same request may have come twice at once, and the other one has made its run.
    if (const auto repeated = Repeated(request)) return *repeated;
    return run_dir.status();
  }
  absl::StatusOr<Store::Created> created =
      store_->Create(*submission.run, request.idempotency_key(), clock_.Now());
  // The folder is of no run: another request with the same key came first, or the store failed.
  if (!created.ok() || created->existed) run_dir->Remove();
  RETURN_IF_ERROR(created.status());
  if (!created->existed) {
    recipes_.Keep(created->run.id, submission.prepared);
    reconciler_.Added(created->run);
  }
  wake_timer_.notify_all();
  reply.MergeFrom(ReplyOf(created->run));
  return reply;
}

v1::RunSummary Core::SummaryOf(const Run& run) const {
  return Summarize(run, LiveOf(run.id), reconciler_.Next(run), absl::ToUnixMillis(clock_.Now()));
}

absl::StatusOr<Run> Core::Find(const std::string& reference) {
  MutexLock lock(mutex_);
  return store_->Resolve(reference);
}

absl::StatusOr<v1::RunSummary> Core::Get(const std::string& reference) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Run run, store_->Resolve(reference));
  return SummaryOf(run);
}

absl::StatusOr<v1::ListReply> Core::List(const v1::ListRequest& request) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(std::vector<Run> runs, store_->List());
  v1::ListReply reply;
  for (const Run& run : runs) {
    if (request.state() == v1::RunState::UNKNOWN || request.state() == ToMessage(run.state))
      *reply.add_runs() = SummaryOf(run);
  }
  return reply;
}

absl::StatusOr<v1::RunSummary> Core::ApplyRequest(const std::string& reference, const Event& event) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Run run, store_->Resolve(reference));
  ASSIGN_OR_RETURN(Applied applied, reconciler_.Apply(run.id, event));
  wake_timer_.notify_all();
  ASSIGN_OR_RETURN(run, store_->Get(run.id));  // the reconciler may have moved it further
  return SummaryOf(run);
}

absl::StatusOr<v1::RunSummary> Core::Stop(const v1::StopRequest& request) {
  Event event;
  if (request.pause()) {
    event.kind = EventKind::kPauseRequested;
    event.cause = request.now() ? StopCause::kPauseNow : StopCause::kPause;
  } else {
    event.kind = EventKind::kCancelRequested;
    event.cause = request.now() ? StopCause::kCancelNow : StopCause::kCancel;
  }
  event.message = absl::StrCat(request.pause() ? "pause" : "cancel", request.now() ? " without a save" : "",
                               request.reason().empty() ? "" : ": ", request.reason());
  return ApplyRequest(request.run(), event);
}

absl::StatusOr<v1::RunSummary> Core::Resume(const v1::ResumeRequest& request) {
  Event event;
  event.kind = EventKind::kResumeRequested;
  event.path = request.from_checkpoint();
  event.message = event.path.empty() ? "resume" : absl::StrCat("resume from ", event.path);
  return ApplyRequest(request.run(), event);
}

void Core::Save(const v1::SaveRequest& request, Live::SaveDone done) {
  MutexLock lock(mutex_);
  absl::StatusOr<Run> run = store_->Resolve(request.run());
  absl::Status refusal = run.status();
  if (run.ok() && run->state != RunState::kRunning) {
    refusal = absl::FailedPreconditionError(absl::StrCat("run ", run->id, " (", run->name, ") is ",
                                                         Name(run->state), "; only a running one can save"));
  } else if (run.ok()) {
    for (const Placement::Node& node : run->placement.nodes) {
      if (!Attached(node.name)) refusal = NodeAway(node.name);
    }
  }
  if (!refusal.ok()) {
    lock.unlock();
    done(refusal);
    return;
  }
  if (stopping_) {
    lock.unlock();
    done(absl::AbortedError("the controller ends"));
    return;
  }
  const std::string id = request.request_id().empty() ? NewRunId() : request.request_id();
  live_[run->id].saves[id] = std::move(done);
  v1::Order order;
  order.mutable_save()->set_request_id(id);
  for (const Placement::Node& node : run->placement.nodes) ToRanks(*run, node.name, -1, order);
}

absl::Status Core::Subscribe(const std::string& reference, const Interest& interest, Feed* feed) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Run run, store_->Resolve(reference));
  ASSIGN_OR_RETURN(std::vector<EventRecord> events, store_->Events(run.id, interest.since_event));
  feed->OnSummary(SummaryOf(run));
  for (const EventRecord& event : events) feed->OnEvent(MessageOf(event));
  if (const Live* live = LiveOf(run.id); live != nullptr && live->attempt == run.attempt) {
    for (const metrics::StepRecord& step : live->recent) feed->OnStep(metrics::ToReport(step));
  }
  if (!interest.follow || IsFinal(run.state) || (interest.until_stop && IsStopped(run.state))) {
    if (!run.live() || !interest.follow) {
      feed->OnEnd();
      return absl::OkStatus();
    }
  }
  feeds_[feed] = {run.id, interest};
  return absl::OkStatus();
}

void Core::Unsubscribe(Feed* feed) {
  MutexLock lock(mutex_);
  feeds_.erase(feed);
}

void Core::WindDown(absl::Duration patience) {
  MutexLock lock(mutex_);
  winding_down_ = true;
  Event pause;
  pause.kind = EventKind::kPauseRequested;
  pause.cause = StopCause::kPause;
  pause.message = "the private controller ends";
  absl::StatusOr<std::vector<Run>> runs = store_->List();
  if (runs.ok()) {
    for (const Run& run : *runs) {
      if (IsStopped(run.state)) continue;
      // A run that is being cancelled or is done refuses the pause, and ends by itself.
      reconciler_.Apply(run.id, pause).status().IgnoreError();
    }
  }
  const auto quiet = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StatusOr<std::vector<Run>> now = store_->List();
    if (!now.ok()) return true;
    for (const Run& run : *now) {
      if (run.live() || !IsStopped(run.state)) return false;
    }
    return true;
  };
  run_stood_still_.wait_for(lock, patience, quiet);
  for (auto& [name, node] : nodes_) {
    v1::NodeOrder order;
    order.mutable_shutdown();
    SendTo(name, std::move(order));
  }
}

void Core::Timer() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (capacity_freed_ || reconciler_.NextWake() <= absl::ZeroDuration()) {
      capacity_freed_ = false;
      reconciler_.Tick();
      continue;
    }
    const absl::Duration wait = std::min(reconciler_.NextWake(), absl::Hours(1));
    wake_timer_.wait_for(lock, wait);
  }
}

}  // namespace galley::service
