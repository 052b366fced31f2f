#include "service/controller/gate.h"

namespace galley::service {

grpc::Status Gate::Check(const grpc::CallbackServerContext& context) const {
  if (expected_.empty()) return grpc::Status::OK;
  const auto found = context.client_metadata().find("authorization");
  const bool same = found != context.client_metadata().end() && Same(found->second);
  return same ? grpc::Status::OK
              : grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                             "this controller asks for a token, and this one is missing or wrong: give the "
                             "right one in "
                             "GALLEY_TOKEN_FILE (trainerd: --token-file)");
}

// Time does not tell how much of the token was right.
bool Gate::Same(const grpc::string_ref& given) const {
  unsigned char difference = given.size() == expected_.size() ? 0 : 1;
  for (size_t i = 0; i < given.size() && i < expected_.size(); ++i) {
    difference |= static_cast<unsigned char>(given.data()[i] ^ expected_[i]);
  }
  return difference == 0;
}

}  // namespace galley::service
