#include "service/trainctl/output.h"

#include <cstdio>

namespace galley::trainctl {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
      return kUsage;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kDenied;
    case absl::StatusCode::kNotFound:
      return kNotFound;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
      return kConflict;
    case absl::StatusCode::kDeadlineExceeded:
      return kTimeout;
    case absl::StatusCode::kUnavailable:
      return kUnreachable;
    default:
      return kError;
  }
}

int Fail(const absl::Status& status) {
  fprintf(stderr, "trainctl: %.*s\n", static_cast<int>(status.message().size()), status.message().data());
  return ExitCodeOf(status);
}

}  // namespace galley::trainctl
