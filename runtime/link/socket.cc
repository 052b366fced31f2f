#include "runtime/link/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/base/user_dirs.h"

namespace galley::link {
namespace {

absl::StatusOr<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  RETURN_IF_ERROR(CheckSocketPath(path));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<int> NewSocket(const std::string& path) {
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ErrnoStatus(errno, path);
  return fd;
}

}  // namespace

absl::StatusOr<int> ConnectUnix(const std::string& path) {
  ASSIGN_OR_RETURN(sockaddr_un address, Address(path));
  ASSIGN_OR_RETURN(int fd, NewSocket(path));
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    ::close(fd);
    return ErrnoStatus(error, path);
  }
  return fd;
}

absl::StatusOr<int> ListenUnix(const std::string& path) {
  ASSIGN_OR_RETURN(sockaddr_un address, Address(path));
  RETURN_IF_ERROR(MakeDirs(DirName(path), 0700));
  if (FileExists(path)) {
    if (absl::StatusOr<int> other = ConnectUnix(path); other.ok()) {
      ::close(*other);
      return absl::AlreadyExistsError(
          absl::StrCat(path, ": another process listens here; stop it or choose another folder"));
    }
    ::unlink(path.c_str());
  }
  ASSIGN_OR_RETURN(int fd, NewSocket(path));
  // The mode is set on the descriptor, so the socket is never open to others, not even between two calls.
  if (::fchmod(fd, 0600) != 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(fd, 128) != 0) {
    const int error = errno;
    ::close(fd);
    return ErrnoStatus(error, path);
  }
  return fd;
}

bool ReadInto(int fd, FrameReader& reader, size_t limit) {
  char buffer[1 << 16];
  for (size_t total = 0; total < limit;) {
    const ssize_t n = ::recv(fd, buffer, sizeof(buffer), 0);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    reader.Append(absl::string_view(buffer, static_cast<size_t>(n)));
    total += static_cast<size_t>(n);
  }
  return true;
}

bool WriteFrom(int fd, std::string& out) {
  size_t done = 0;
  bool alive = true;
  while (done < out.size()) {
    const ssize_t n = ::send(fd, out.data() + done, out.size() - done, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      alive = errno == EAGAIN || errno == EWOULDBLOCK;
      break;
    }
    done += static_cast<size_t>(n);
  }
  out.erase(0, done);
  return alive;
}

}  // namespace galley::link
