// One process at a time. The kernel lets a lock go when its holder dies, so none has to be broken by hand.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace galley {

// An exclusive flock on an open file, for as long as it is open. kAborted when another process holds it.
absl::Status LockFile(int fd, const std::string& path);

struct FileLockOptions {
  mode_t mode = 0600;  // of a lock file that is made
  // Removed with the lock, and empty, so that it needs no space on a disk that is full. Otherwise it stays
  // and holds its holder's process id.
  bool remove = false;
  // On a file system without locks: an error, or a lock that holds nothing.
  bool required = true;
};

// A lock file that is held while the object lives.
class FileLock {
 public:
  // kAborted when another process holds it, and the message names that process where the file does.
  static absl::StatusOr<FileLock> Take(const std::string& path, const FileLockOptions& options = {});
  FileLock(FileLock&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), removed_(std::exchange(other.removed_, {})) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
  std::string removed_;  // path of the file that goes with it; empty: it stays
};

}  // namespace galley
