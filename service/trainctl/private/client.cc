#include "service/trainctl/private/client.h"

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "galley/v1/controller.grpc.pb.h"
#include "runtime/base/file.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/base/token_file.h"
#include "runtime/base/user_dirs.h"
#include "service/view/wire.h"

namespace galley::trainctl {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(60);
constexpr absl::Duration kSubmitTimeout = absl::Minutes(30);  // token ids of large data are checked

class GrpcClient : public Client {
 public:
  GrpcClient(std::string address, std::shared_ptr<grpc::Channel> channel, std::string token)
      : address_(std::move(address)), stub_(v1::Controller::NewStub(channel)), token_(std::move(token)) {}

  absl::StatusOr<v1::VersionReply> Version(absl::Duration timeout) override {
    return Call<v1::VersionReply>(timeout, /*wait=*/true, [&](auto* context, auto* reply) {
      return stub_->Version(context, v1::VersionRequest(), reply);
    });
  }
  absl::StatusOr<v1::SubmitReply> Submit(const v1::SubmitRequest& request) override {
    return Call<v1::SubmitReply>(kSubmitTimeout, false,
                                 [&](auto* c, auto* reply) { return stub_->Submit(c, request, reply); });
  }
  absl::StatusOr<v1::RunSummary> Get(const std::string& run) override {
    return Call<v1::RunSummary>(kCallTimeout, false,
                                [&](auto* c, auto* reply) { return stub_->Get(c, Ref(run), reply); });
  }
  absl::StatusOr<v1::ListReply> List(const v1::ListRequest& request) override {
    return Call<v1::ListReply>(kCallTimeout, false,
                               [&](auto* c, auto* reply) { return stub_->List(c, request, reply); });
  }
  absl::StatusOr<v1::RunSummary> Stop(const v1::StopRequest& request) override {
    return Call<v1::RunSummary>(kCallTimeout, false,
                                [&](auto* c, auto* reply) { return stub_->Stop(c, request, reply); });
  }
  absl::StatusOr<v1::RunSummary> Resume(const v1::ResumeRequest& request) override {
    return Call<v1::RunSummary>(kCallTimeout, false,
                                [&](auto* c, auto* reply) { return stub_->Resume(c, request, reply); });
  }
  absl::StatusOr<v1::SaveReply> Save(const v1::SaveRequest& request, absl::Duration timeout) override {
    return Call<v1::SaveReply>(timeout, false,
                               [&](auto* c, auto* reply) { return stub_->Save(c, request, reply); });
  }
  absl::StatusOr<v1::CheckpointsReply> Checkpoints(const std::string& run) override {
    return Call<v1::CheckpointsReply>(
        kCallTimeout, false, [&](auto* c, auto* reply) { return stub_->Checkpoints(c, Ref(run), reply); });
  }
  absl::StatusOr<v1::NodesReply> Nodes() override {
    return Call<v1::NodesReply>(kCallTimeout, false, [&](auto* c, auto* reply) {
      return stub_->Nodes(c, v1::NodesRequest(), reply);
    });
  }
  absl::Status Watch(const v1::WatchRequest& request, absl::Duration timeout,
                     const std::function<bool(const v1::WatchReply&)>& take) override {
    return Stream<v1::WatchReply>(timeout, take,
                                  [&](auto* context) { return stub_->Watch(context, request); });
  }
  absl::Status Events(const v1::EventsRequest& request,
                      const std::function<bool(const v1::EventMessage&)>& take) override {
    return Stream<v1::EventMessage>(absl::InfiniteDuration(), take,
                                    [&](auto* context) { return stub_->Events(context, request); });
  }
  absl::Status Logs(const v1::LogsRequest& request,
                    const std::function<bool(const v1::LogChunk&)>& take) override {
    return Stream<v1::LogChunk>(absl::InfiniteDuration(), take,
                                [&](auto* context) { return stub_->Logs(context, request); });
  }
  void CancelStreams() override {
    MutexLock lock(mutex_);
    for (grpc::ClientContext* context : streams_) context->TryCancel();
  }
  const std::string& address() const override { return address_; }

 private:
  static v1::RunRef Ref(const std::string& run) {
    v1::RunRef ref;
    ref.set_run(run);
    return ref;
  }

  void Prepare(grpc::ClientContext& context, absl::Duration timeout) const {
    context.AddMetadata(view::kWireKey, absl::StrCat(v1::Wire::CURRENT));
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
    if (timeout < absl::InfiniteDuration()) {
      context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
    }
  }

  // Before the first call: a controller that is too old to refuse ours would carry it out, and answer in
  // fields that we do not read.
  absl::Status CheckWire(absl::Duration timeout, bool wait) {
    if (wire_checked_) return absl::OkStatus();
    grpc::ClientContext context;
    Prepare(context, std::min(timeout, kCallTimeout));
    context.set_wait_for_ready(wait);
    v1::VersionReply reply;
    RETURN_IF_ERROR(FromGrpc(stub_->Version(&context, v1::VersionRequest(), &reply)));
    const int theirs = view::WireVersionIn(context.GetServerInitialMetadata());
    if (theirs != v1::Wire::CURRENT) {
      return absl::FailedPreconditionError(
          absl::StrCat("the controller (", reply.version(), ") at ", address_, " speaks wire version ",
                       theirs, ", this trainctl (", GALLEY_VERSION, ") ", v1::Wire::CURRENT,
                       "; install the same release of both"));
    }
    wire_checked_ = true;
    return absl::OkStatus();
  }

  absl::Status FromGrpc(const grpc::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    // The transport's own words name sockets and errno; the controller's are whole sentences.
    v1::ErrorDetail detail;
    const bool node_away = detail.ParseFromString(status.error_details()) && detail.has_node_away();
    if (code == absl::StatusCode::kUnavailable && !node_away) {
      return absl::UnavailableError(
          absl::StrCat("no controller answers at ", address_,
                       "; start one with 'galley-controller' (and 'trainerd'), or use ", "'trainctl train'"));
    }
    if (code == absl::StatusCode::kDeadlineExceeded) return absl::DeadlineExceededError("the time is over");
    return absl::Status(code, status.error_message());
  }

  template <class Reply, class Invoke>
  absl::StatusOr<Reply> Call(absl::Duration timeout, bool wait, Invoke invoke) {
    RETURN_IF_ERROR(CheckWire(timeout, wait));
    grpc::ClientContext context;
    Prepare(context, timeout);
    context.set_wait_for_ready(wait);
    Reply reply;
    RETURN_IF_ERROR(FromGrpc(invoke(&context, &reply)));
    return reply;
  }

  template <class Message, class Invoke>
  absl::Status Stream(absl::Duration timeout, const std::function<bool(const Message&)>& take,
                      Invoke invoke) {
    RETURN_IF_ERROR(CheckWire(timeout, /*wait=*/false));
    grpc::ClientContext context;
    Prepare(context, timeout);
    {
      MutexLock lock(mutex_);
      streams_.insert(&context);
    }
    auto reader = invoke(&context);
    Message message;
    bool stopped = false;
    while (reader->Read(&message)) {
      if (stopped || take(message)) continue;
      stopped = true;
      context.TryCancel();
    }
    const grpc::Status status = reader->Finish();
    {
      MutexLock lock(mutex_);
      streams_.erase(&context);
    }
    return stopped ? absl::OkStatus() : FromGrpc(status);
  }

  const std::string address_;
  std::unique_ptr<v1::Controller::Stub> stub_;
  const std::string token_;
  std::atomic<bool> wire_checked_ = false;
  Mutex mutex_;
  std::set<grpc::ClientContext*> streams_ ABSL_GUARDED_BY(mutex_);
};

std::string Env(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Open(const std::string& address,
                                                     const Credentials& credentials) {
  if (absl::string_view path = address; absl::ConsumePrefix(&path, "unix:"))
    RETURN_IF_ERROR(CheckSocketPath(path));
  std::string token;
  if (!credentials.token_file.empty()) {
    ASSIGN_OR_RETURN(token, ReadTokenFile(credentials.token_file));
  }
  std::shared_ptr<grpc::ChannelCredentials> channel_credentials = grpc::InsecureChannelCredentials();
  if (!credentials.tls_ca.empty()) {
    grpc::SslCredentialsOptions ssl;
    ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadFile(credentials.tls_ca));
    channel_credentials = grpc::SslCredentials(ssl);
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  return std::make_unique<GrpcClient>(
      address, grpc::CreateCustomChannel(address, channel_credentials, arguments), std::move(token));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Open(const Globals& globals) {
  std::string address = globals.controller;
  if (address.empty()) {
    ASSIGN_OR_RETURN(std::string socket, DefaultControllerSocket());
    address = absl::StrCat("unix:", socket);
  }
  return Open(address, {Env("GALLEY_TOKEN_FILE"), Env("GALLEY_TLS_CA")});
}

}  // namespace galley::trainctl
