// One process at a time.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace galley::data {

// A lock file that is held while the object lives, and removed with it. The kernel lets it go when the
// process dies. File systems without locks give one that holds nothing.
class FileLock {
 public:
  // kAborted when another process holds it; `subject` stands in the error.
  static absl::StatusOr<FileLock> Take(const std::string& path, absl::string_view subject);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  FileLock(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::string path_;
};

}  // namespace galley::data
