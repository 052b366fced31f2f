#include "service/controller/controller_service.h"

#include <unistd.h>

#include <atomic>
#include <future>
#include <utility>

#include "absl/time/clock.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/prepare/prepare.h"
#include "service/controller/logs.h"
#include "service/controller/stream.h"
#include "service/controller/submission.h"
#include "service/controller/tasks.h"
#include "service/view/checkpoint_rows.h"

namespace galley::service {
namespace {

constexpr absl::Duration kLogPoll = absl::Milliseconds(100);
constexpr size_t kLogQueue = 64;

class WatchStream : public PushStream<v1::WatchReply>, public Feed {
 public:
  explicit WatchStream(bool steps) : steps_(steps) {}
  void OnEvent(const v1::EventMessage& event) override {
    v1::WatchReply reply;
    *reply.mutable_event() = event;
    Push(std::move(reply));
  }
  void OnSummary(const v1::RunSummary& run) override {
    v1::WatchReply reply;
    *reply.mutable_run() = run;
    Push(std::move(reply));
  }
  void OnStep(const v1::StepReport& step) override {
    if (!steps_) return;
    v1::WatchReply reply;
    *reply.mutable_step() = step;
    Push(std::move(reply), /*droppable=*/true);
  }
  void OnEnd() override { End(grpc::Status::OK); }

 private:
  bool steps_;
};

class EventStream : public PushStream<v1::EventMessage>, public Feed {
 public:
  void OnEvent(const v1::EventMessage& event) override { Push(event); }
  void OnEnd() override { End(grpc::Status::OK); }
};

class ControllerService : public v1::Controller::CallbackService {
 public:
  ControllerService(Core& core, const Gate& gate, std::string state_dir)
      : core_(core), gate_(gate), state_dir_(std::move(state_dir)) {}
  ~ControllerService() override { stopping_ = true; }

  using Context = grpc::CallbackServerContext;

  grpc::ServerUnaryReactor* Submit(Context* context, const v1::SubmitRequest* request,
                                   v1::SubmitReply* reply) override {
    return Later(context, [this, request, reply] { return Put(core_.Submit(*request), reply); });
  }
  grpc::ServerUnaryReactor* Plan(Context* context, const v1::PlanRequest* request,
                                 v1::PlanReply* reply) override {
    return Now(context, [&] {
      const v1::RecipeText& text = request->recipe();
      prepare::PrepareResult result = prepare::Prepare({text.canonical(), text.root(), text.origins_json()});
      AddFaults(result.faults, reply->mutable_faults());
      if (result.prepared) reply->set_plan_json(plan::ToJson(result.prepared->plan));
      return absl::OkStatus();
    });
  }
  grpc::ServerUnaryReactor* Get(Context* context, const v1::RunRef* request, v1::RunSummary* reply) override {
    return Now(context, [&] { return Put(core_.Get(request->run()), reply); });
  }
  grpc::ServerUnaryReactor* List(Context* context, const v1::ListRequest* request,
                                 v1::ListReply* reply) override {
    return Now(context, [&] { return Put(core_.List(*request), reply); });
  }
  grpc::ServerUnaryReactor* Stop(Context* context, const v1::StopRequest* request,
                                 v1::RunSummary* reply) override {
    return Now(context, [&] { return Put(core_.Stop(*request), reply); });
  }
  grpc::ServerUnaryReactor* Resume(Context* context, const v1::ResumeRequest* request,
                                   v1::RunSummary* reply) override {
    return Now(context, [&] { return Put(core_.Resume(*request), reply); });
  }
  grpc::ServerUnaryReactor* Save(Context* context, const v1::SaveRequest* request,
                                 v1::SaveReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (grpc::Status denied = gate_.CheckClient(*context); !denied.ok()) {
      reactor->Finish(denied);
      return reactor;
    }
    core_.Save(*request, [reactor, reply](absl::StatusOr<v1::SaveReply> saved) {
      if (saved.ok()) *reply = *saved;
      reactor->Finish(ToGrpc(saved.status()));
    });
    return reactor;
  }
  grpc::ServerUnaryReactor* Checkpoints(Context* context, const v1::RunRef* request,
                                        v1::CheckpointsReply* reply) override {
    return Later(context, [this, request, reply] { return ListCheckpoints(request->run(), reply); });
  }
  grpc::ServerUnaryReactor* Nodes(Context* context, const v1::NodesRequest*, v1::NodesReply* reply) override {
    return Now(context, [&] {
      *reply = core_.Nodes();
      return absl::OkStatus();
    });
  }
  grpc::ServerUnaryReactor* Version(Context* context, const v1::VersionRequest*,
                                    v1::VersionReply* reply) override {
    return Now(context, [&] {
      reply->set_version(GALLEY_VERSION);
      reply->set_pid(getpid());
      reply->set_state_dir(state_dir_);
      return absl::OkStatus();
    });
  }
  grpc::ServerWriteReactor<v1::WatchReply>* Watch(Context* context,
                                                  const v1::WatchRequest* request) override {
    return Follow(context, new WatchStream(request->steps()), request->run(),
                  {.since_event = request->since_event(), .follow = true, .until_stop = true});
  }
  grpc::ServerWriteReactor<v1::EventMessage>* Events(Context* context,
                                                     const v1::EventsRequest* request) override {
    return Follow(context, new EventStream, request->run(),
                  {.since_event = request->since(), .follow = request->follow(), .until_stop = true});
  }
  grpc::ServerWriteReactor<v1::LogChunk>* Logs(Context* context, const v1::LogsRequest* request) override {
    auto* stream = new PushStream<v1::LogChunk>;
    grpc::Status denied = gate_.CheckClient(*context);
    absl::StatusOr<Run> run = core_.Find(request->run());
    if (!denied.ok() || !run.ok()) {
      stream->End(denied.ok() ? ToGrpc(run.status()) : denied);
      return stream;
    }
    // The stream outlives the task: OnDone waits for it.
    auto read = std::make_shared<std::promise<void>>();
    stream->set_on_done([over = read->get_future().share()] { over.wait(); });
    tasks_.Run([this, stream, run = *std::move(run), request = *request, read] {
      FollowLogs(*stream, run, request);
      read->set_value();
    });
    return stream;
  }

 private:
  template <class T>
  static absl::Status Put(absl::StatusOr<T> result, T* reply) {
    absl::Status status = result.status();
    if (status.ok()) *reply = *std::move(result);
    return status;
  }
  template <class Work>
  grpc::ServerUnaryReactor* Now(Context* context, Work work) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const grpc::Status denied = gate_.CheckClient(*context);
    reactor->Finish(denied.ok() ? ToGrpc(work()) : denied);
    return reactor;
  }
  template <class Work>
  grpc::ServerUnaryReactor* Later(Context* context, Work work) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (grpc::Status denied = gate_.CheckClient(*context); !denied.ok()) {
      reactor->Finish(denied);
    } else {
      tasks_.Run([reactor, work = std::move(work)] { reactor->Finish(ToGrpc(work())); });
    }
    return reactor;
  }
  template <class Stream>
  Stream* Follow(Context* context, Stream* stream, const std::string& run, const Core::Interest& interest) {
    stream->set_on_done([this, stream] { core_.Unsubscribe(stream); });
    grpc::Status status = gate_.CheckClient(*context);
    if (status.ok()) status = ToGrpc(core_.Subscribe(run, interest, stream));
    if (!status.ok()) stream->End(status);
    return stream;
  }

  void FollowLogs(PushStream<v1::LogChunk>& stream, const Run& run, const v1::LogsRequest& request) {
    LogReader reader(run.run_dir, request.rank(), request.attempt());
    const auto give = [&](v1::LogChunk chunk) {
      stream.Push(std::move(chunk));
      while (!stream.ended() && !stopping_ && stream.queued() >= kLogQueue) absl::SleepFor(kLogPoll);
      return !stream.ended() && !stopping_;
    };
    while (!stream.ended() && !stopping_) {
      // Asked before reading: what is written up to the end is then read below.
      absl::StatusOr<Run> now = core_.Find(run.id);
      const bool still = !request.follow() || !now.ok() || (IsStopped(now->state) && !now->live());
      reader.ReadNew(still, give);
      if (still) break;
      absl::SleepFor(kLogPoll);
    }
    stream.End(grpc::Status::OK);
  }

  absl::Status ListCheckpoints(const std::string& reference, v1::CheckpointsReply* reply) {
    ASSIGN_OR_RETURN(Run run, core_.Find(reference));
    for (const checkpoint::Entry& entry : checkpoint::List(run.plan.checkpoint_dir)) {
      *reply->add_checkpoints() = view::MessageOf(entry);
    }
    return absl::OkStatus();
  }

  Core& core_;
  const Gate& gate_;
  const std::string state_dir_;
  std::atomic<bool> stopping_ = false;
  Tasks tasks_;  // last: waits for all that uses the above
};

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto detail = status.GetPayload(v1::ErrorDetail::descriptor()->full_name());
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
          detail.has_value() ? std::string(*detail) : ""};
}

std::unique_ptr<v1::Controller::CallbackService> MakeControllerService(Core& core, const Gate& gate,
                                                                       const std::string& state_dir) {
  return std::make_unique<ControllerService>(core, gate, state_dir);
}

}  // namespace galley::service
