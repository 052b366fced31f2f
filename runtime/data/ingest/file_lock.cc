#include "runtime/data/ingest/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::data {

absl::StatusOr<FileLock> FileLock::Take(const std::string& path, absl::string_view subject) {
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoStatus(errno, path);
    FileLock lock(fd, path);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      lock.path_.clear();  // it is the other's file
      return absl::AbortedError(absl::StrCat(subject, ": another process writes it (", path,
                                             " is locked); wait for its end, or give another prefix"));
    }
    // The holder before may have removed the file between our open and our lock.
    struct stat held {
    }, named{};
    if (::fstat(fd, &held) != 0) return ErrnoStatus(errno, path);
    if (::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      return lock;
    }
    lock.path_.clear();
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::exchange(other.path_, {})) {}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace galley::data
