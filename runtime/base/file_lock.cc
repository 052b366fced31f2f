#include "runtime/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley {
namespace {

absl::Status HeldByAnother(int fd, const std::string& path) {
  char text[32] = {};
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  const absl::string_view pid = absl::StripAsciiWhitespace({text, n > 0 ? static_cast<size_t>(n) : 0});
  return absl::AbortedError(pid.empty() ? absl::StrCat(path, ": locked by another process")
                                        : absl::StrCat(path, ": locked by pid ", pid));
}

// Whether `path` still names the open file: its holder before us may have removed it between our open and
// our lock, and the next process would lock another.
absl::StatusOr<bool> StillNamed(int fd, const std::string& path) {
  struct stat held {
  }, named{};
  if (::fstat(fd, &held) != 0) return ErrnoStatus(errno, path);
  return ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

// flock and not fcntl: an fcntl lock is the process's and is lost when any descriptor of the file is closed,
// by a library too; and it keeps out no second holder in the same process.
absl::Status LockFile(int fd, const std::string& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno == EWOULDBLOCK) return absl::AbortedError(absl::StrCat(path, ": locked by another process"));
  return ErrnoStatus(errno, path);
}

absl::StatusOr<FileLock> FileLock::Take(const std::string& path, const FileLockOptions& options) {
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, options.mode);
    if (fd < 0) return ErrnoStatus(errno, path);
    FileLock lock(fd);
    const absl::Status locked = LockFile(fd, path);
    if (absl::IsAborted(locked)) return HeldByAnother(fd, path);
    if (!locked.ok() && options.required) return locked;
    ASSIGN_OR_RETURN(const bool named, StillNamed(fd, path));
    if (!named) continue;
    if (options.remove) {
      lock.removed_ = path;
      return lock;
    }
    const std::string pid = absl::StrCat(::getpid(), "\n");
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
      return ErrnoStatus(errno, path);
    }
    return lock;
  }
}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  // While the lock is still held: once it is let go, the name may be another holder's.
  if (!removed_.empty()) ::unlink(removed_.c_str());
  ::close(fd_);
}

}  // namespace galley
