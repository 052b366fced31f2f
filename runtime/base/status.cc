#include "runtime/base/status.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace galley {

absl::Status Annotate(const absl::Status& status, absl::string_view subject) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(subject, ": ", status.message()));
}

absl::Status ErrnoStatus(int error, absl::string_view subject) {
  char buffer[256];
  const char* text = strerror_r(error, buffer, sizeof(buffer));
  std::string message = absl::StrCat(subject, ": ", text);
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(
          absl::StrCat(message, "; free space there or choose another folder"));
    case EEXIST:
      return absl::AlreadyExistsError(message);
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace galley
