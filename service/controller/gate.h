// What every handler asks first.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

namespace galley::service {

// An empty token asks for nothing: the socket's owner is the only caller.
class Gate {
 public:
  explicit Gate(const std::string& token) : expected_(token.empty() ? "" : "Bearer " + token) {}
  // Any caller's token.
  grpc::Status Check(const grpc::CallbackServerContext& context) const;
  // A trainctl's token and wire version; tells it ours.
  grpc::Status CheckClient(grpc::CallbackServerContext& context) const;

 private:
  bool Same(const grpc::string_ref& given) const;
  const std::string expected_;
};

}  // namespace galley::service
