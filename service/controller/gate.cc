#include "service/controller/gate.h"

#include "absl/strings/str_cat.h"
#include "galley/v1/node.pb.h"
#include "service/view/wire.h"

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

grpc::Status Gate::CheckClient(grpc::CallbackServerContext& context) const {
  if (grpc::Status denied = Check(context); !denied.ok()) return denied;
  context.AddInitialMetadata(view::kWireKey, absl::StrCat(v1::Wire::CURRENT));
  const int given = view::WireVersionIn(context.client_metadata());
  if (given == v1::Wire::CURRENT) return grpc::Status::OK;
  return grpc::Status(
      grpc::StatusCode::FAILED_PRECONDITION,
      absl::StrCat("this trainctl speaks wire version ", given, ", the controller (", GALLEY_VERSION, ") ",
                   v1::Wire::CURRENT, "; install the same release of both"));
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
