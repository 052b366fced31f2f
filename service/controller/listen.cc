#include "service/controller/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/base/user_dirs.h"

namespace galley::service {

std::string UnixPath(const std::string& address) {
  absl::string_view path = address;
  return absl::ConsumePrefix(&path, "unix:") ? std::string(path) : std::string();
}

bool IsLoopback(absl::string_view host_and_port) {
  const size_t colon = host_and_port.rfind(':');
  absl::string_view host = host_and_port.substr(0, colon);
  return host == "localhost" || host == "[::1]" || host == "::1" || absl::StartsWith(host, "127.");
}

absl::Status PrepareSocket(const std::string& path) {
  RETURN_IF_ERROR(CheckSocketPath(path));
  RETURN_IF_ERROR(MakeDirs(DirName(path), 0700));
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": exists and is no socket; choose another address"));
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, path);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  const int connected = connect(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address);
  const int error = errno;
  close(fd);
  if (connected == 0 || error == EAGAIN) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": another galley-controller listens here; stop it, or give another --listen"));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(errno, path);
  return absl::OkStatus();
}

}  // namespace galley::service
