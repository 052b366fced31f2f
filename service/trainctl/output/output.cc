#include "service/trainctl/output/output.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

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

int WantOutput(const Globals& globals, const std::vector<std::string>& outputs) {
  if (std::find(outputs.begin(), outputs.end(), globals.output) != outputs.end()) return kOk;
  return Fail(absl::InvalidArgumentError(absl::StrCat(
      "-o ", globals.output, " is not for this command; it has ", absl::StrJoin(outputs, ", "))));
}

}  // namespace galley::trainctl
