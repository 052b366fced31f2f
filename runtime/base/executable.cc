#include "runtime/base/executable.h"

#include <unistd.h>

#include <cerrno>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace galley {

absl::StatusOr<std::string> PathBesideOurs(absl::string_view program) {
  char path[4096];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0) return ErrnoStatus(errno, "/proc/self/exe");
  return JoinPath(DirName(absl::string_view(path, static_cast<size_t>(n))), program);
}

}  // namespace galley
