#include "service/controller/server.h"

#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/base/token_file.h"
#include "service/controller/controller_service.h"
#include "service/controller/gate.h"
#include "service/controller/listen.h"
#include "service/controller/nodes_service.h"

namespace galley::service {
namespace {

constexpr int kMaxMessage = 64 << 20;

class GrpcServer : public Server {
 public:
  GrpcServer(Core& core, const ListenOptions& options, const std::string& token)
      : core_(core),
        gate_(token),
        controller_(MakeControllerService(core, gate_, options.state_dir)),
        nodes_(core, gate_) {}
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
    builder.RegisterService(controller_.get());
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
  std::unique_ptr<v1::Controller::CallbackService> controller_;
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
