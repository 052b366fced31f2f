// Thin handlers: read, ask Core, reply.
#include "service/controller/server.h"

#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "galley/v1/controller.grpc.pb.h"
#include "galley/v1/node.grpc.pb.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/base/token_file.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/prepare/prepare.h"
#include "service/controller/listen.h"
#include "service/controller/logs.h"
#include "service/controller/stream.h"
#include "service/controller/submission.h"

namespace galley::service {
namespace {

constexpr int kMaxMessage = 64 << 20;
constexpr absl::Duration kLogPoll = absl::Milliseconds(100);
constexpr size_t kLogQueue = 64;

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto detail = status.GetPayload(v1::ErrorDetail::descriptor()->full_name());
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
          detail.has_value() ? std::string(*detail) : ""};
}

// Work that may take long, off gRPC's few threads. The destructor waits for all of it.
class Tasks {
 public:
  ~Tasks() {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [&] { return running_ == 0; });
  }
  void Run(std::function<void()> work) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++running_;
    }
    std::thread([this, work = std::move(work)] {
      work();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--running_ == 0) idle_.notify_all();
    }).detach();
  }

 private:
  std::mutex mutex_;
  std::condition_variable idle_;
  int running_ = 0;
};

// What every handler asks first. An empty token asks for nothing: the socket's owner is the only caller.
class Gate {
 public:
  explicit Gate(const std::string& token) : expected_(token.empty() ? "" : "Bearer " + token) {}
  grpc::Status Check(const grpc::CallbackServerContext& context) const {
    if (expected_.empty()) return grpc::Status::OK;
    const auto found = context.client_metadata().find("authorization");
    const bool same = found != context.client_metadata().end() && Same(found->second);
    return same ? grpc::Status::OK
                : grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                               "this controller asks for a token, and this one is missing or wrong: give the "
                               "right one in "
                               "GALLEY_TOKEN_FILE (trainerd: --token-file)");
  }

 private:
  // Time does not tell how much of the token was right.
  bool Same(const grpc::string_ref& given) const {
    unsigned char difference = given.size() == expected_.size() ? 0 : 1;
    for (size_t i = 0; i < given.size() && i < expected_.size(); ++i) {
      difference |= static_cast<unsigned char>(given.data()[i] ^ expected_[i]);
    }
    return difference == 0;
  }
  std::string expected_;
};

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
    if (grpc::Status denied = gate_.Check(*context); !denied.ok()) {
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
    grpc::Status denied = gate_.Check(*context);
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
    const grpc::Status denied = gate_.Check(*context);
    reactor->Finish(denied.ok() ? ToGrpc(work()) : denied);
    return reactor;
  }
  template <class Work>
  grpc::ServerUnaryReactor* Later(Context* context, Work work) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (grpc::Status denied = gate_.Check(*context); !denied.ok()) {
      reactor->Finish(denied);
    } else {
      tasks_.Run([reactor, work = std::move(work)] { reactor->Finish(ToGrpc(work())); });
    }
    return reactor;
  }
  template <class Stream>
  Stream* Follow(Context* context, Stream* stream, const std::string& run, const Core::Interest& interest) {
    stream->set_on_done([this, stream] { core_.Unsubscribe(stream); });
    grpc::Status status = gate_.Check(*context);
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
      const bool still = !request.follow() || !now.ok() || (IsStopped(now->state) && !now->live);
      reader.ReadNew(still, give);
      if (still) break;
      absl::SleepFor(kLogPoll);
    }
    stream.End(grpc::Status::OK);
  }

  absl::Status ListCheckpoints(const std::string& reference, v1::CheckpointsReply* reply) {
    ASSIGN_OR_RETURN(Run run, core_.Find(reference));
    for (const checkpoint::Entry& entry : checkpoint::List(run.checkpoint_dir)) {
      v1::CheckpointMessage& m = *reply->add_checkpoints();
      m.set_step(entry.step);
      m.set_path(entry.path);
      m.set_bytes(entry.bytes);
      m.set_status(entry.status.ok() ? "OK" : std::string(entry.status.message()));
      absl::StatusOr<checkpoint::Manifest> manifest = checkpoint::Open(entry.path, /*verify_data=*/false);
      if (!manifest.ok()) continue;
      const checkpoint::Facts& facts = manifest->info.state;
      m.set_samples(checkpoint::IntFact(facts, "samples").value_or(0));
      if (const auto tokens = checkpoint::IntFact(facts, "tokens"); tokens.ok()) m.set_tokens(*tokens);
      if (const auto it = facts.find("lineage"); it != facts.end()) m.set_lineage(it->second);
    }
    return absl::OkStatus();
  }

  Core& core_;
  const Gate& gate_;
  const std::string state_dir_;
  std::atomic<bool> stopping_ = false;
  Tasks tasks_;  // last: waits for all that uses the above
};

// One attached trainerd. Reads one report at a time; orders queue in front of the one write gRPC allows.
class NodeStream : public grpc::ServerBidiReactor<v1::NodeReport, v1::NodeOrder>, public NodeLink {
 public:
  NodeStream(Core& core, const grpc::Status& denied) : core_(core) {
    if (!denied.ok()) {
      finished_ = true;
      Finish(denied);
      return;
    }
    StartRead(&report_);
  }
  void Send(const v1::NodeOrder& order) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (finished_) return;
    queue_.push_back(order);
    Pump();
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      EndWith(grpc::Status::OK);
      return;
    }
    if (absl::Status status = core_.OnReport(this, report_); !status.ok()) {
      LogWarning("a node's report was refused: ", status.message());
      EndWith(ToGrpc(status));
      return;
    }
    StartRead(&report_);
  }
  void OnWriteDone(bool ok) override {
    std::lock_guard<std::mutex> lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (ok && !finished_) Pump();
  }
  void OnCancel() override { EndWith(grpc::Status::CANCELLED); }
  void OnDone() override {
    core_.OnDetach(this);
    delete this;
  }

 private:
  void Pump() {
    if (writing_ || queue_.empty()) return;
    writing_ = true;
    StartWrite(&queue_.front());
  }
  void EndWith(const grpc::Status& status) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  Core& core_;
  v1::NodeReport report_;
  std::mutex mutex_;
  std::deque<v1::NodeOrder> queue_;
  bool writing_ = false;
  bool finished_ = false;
};

class NodesService : public v1::Nodes::CallbackService {
 public:
  NodesService(Core& core, const Gate& gate) : core_(core), gate_(gate) {}
  grpc::ServerBidiReactor<v1::NodeReport, v1::NodeOrder>* Attach(
      grpc::CallbackServerContext* context) override {
    return new NodeStream(core_, gate_.Check(*context));
  }

 private:
  Core& core_;
  const Gate& gate_;
};

class GrpcServer : public Server {
 public:
  GrpcServer(Core& core, const ListenOptions& options, const std::string& token)
      : core_(core), gate_(token), controller_(core, gate_, options.state_dir), nodes_(core, gate_) {}
  ~GrpcServer() override {
    core_.Close();  // gRPC waits for every open call
    if (server_ != nullptr) server_->Shutdown(absl::ToChronoTime(absl::Now()));
    if (const std::string path = UnixPath(address_); !path.empty()) unlink(path.c_str());
  }
  const std::string& address() const override { return address_; }

  absl::Status Listen(const std::string& address,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address, credentials, &port);
    builder.RegisterService(&controller_);
    builder.RegisterService(&nodes_);
    builder.SetMaxReceiveMessageSize(kMaxMessage);
    // One process, one port: another controller on the same port must fail, not share it.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
    const mode_t old_mask = umask(0177);
    server_ = builder.BuildAndStart();
    umask(old_mask);
    if (server_ == nullptr) {
      return absl::UnavailableError(absl::StrCat(address, ": cannot listen here (is the port taken?)"));
    }
    address_ = address;
    if (UnixPath(address).empty()) {
      address_ = absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
    }
    return absl::OkStatus();
  }

 private:
  Core& core_;
  Gate gate_;
  ControllerService controller_;
  NodesService nodes_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(const ListenOptions& options) {
  if (options.tls_cert.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions ssl;
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  ASSIGN_OR_RETURN(pair.cert_chain, ReadFile(options.tls_cert));
  ASSIGN_OR_RETURN(pair.private_key, ReadFile(options.tls_key));
  ssl.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(ssl);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Core& core, const ListenOptions& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key come together");
  }
  std::string token;
  if (!options.token_file.empty()) {
    ASSIGN_OR_RETURN(token, ReadTokenFile(options.token_file));
  }
  const std::string path = UnixPath(options.address);
  if (!path.empty()) {
    RETURN_IF_ERROR(PrepareSocket(path));
  } else if (!IsLoopback(options.address) && (token.empty() || options.tls_cert.empty())) {
    return absl::InvalidArgumentError(absl::StrCat(options.address,
                                                   ": beyond this machine a controller needs ",
                                                   "--tls-cert, --tls-key and --token-file"));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::ServerCredentials> credentials, Credentials(options));
  auto server = std::make_unique<GrpcServer>(core, options, std::move(token));
  RETURN_IF_ERROR(server->Listen(options.address, std::move(credentials)));
  return server;
}

}  // namespace galley::service
