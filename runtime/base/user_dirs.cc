#include "runtime/base/user_dirs.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace galley {
namespace {

constexpr size_t kNameBytes = 40;  // kept free for the name of a socket in the folder

absl::string_view Env(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

// Makes `dir` 0700, or checks that it is ours alone: another user could otherwise plant a socket there.
absl::Status PrivateFolder(const std::string& dir) {
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, dir);
  struct stat info;  // lstat: a link that somebody planted in /tmp is no folder of ours
  if (lstat(dir.c_str(), &info) != 0) return ErrnoStatus(errno, dir);
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(dir, ": not a folder of this user; remove it"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(dir, ": open to other users; chmod 700 it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SocketFolder() {
  std::vector<std::string> candidates;
  if (absl::string_view xdg = Env("XDG_RUNTIME_DIR"); !xdg.empty() && xdg[0] == '/') {
    candidates.push_back(JoinPath(xdg, "galley"));
  }
  const std::string own = absl::StrCat("galley-", geteuid());
  if (absl::string_view tmp = Env("TMPDIR"); !tmp.empty() && tmp[0] == '/') {
    candidates.push_back(JoinPath(tmp, own));
  }
  candidates.push_back(JoinPath("/tmp", own));
  absl::Status last;
  for (const std::string& dir : candidates) {
    if (dir.size() + 1 + kNameBytes > kMaxSocketPath) continue;
    last = PrivateFolder(dir);
    if (last.ok()) return dir;
    // Not passed over: daemon and client would meet elsewhere, and nobody would hear of the planted folder.
    if (absl::IsPermissionDenied(last) && FileExists(dir)) return last;
  }
  return last;
}

absl::StatusOr<std::string> DefaultControllerSocket() {
  ASSIGN_OR_RETURN(std::string dir, SocketFolder());
  return JoinPath(dir, "controller.sock");
}

absl::StatusOr<std::string> StateFolder(absl::string_view given) {
  if (!given.empty()) return AbsolutePath(std::string(given));
  if (absl::string_view xdg = Env("XDG_STATE_HOME"); !xdg.empty() && xdg[0] == '/')
    return JoinPath(xdg, "galley");
  if (absl::string_view home = Env("HOME"); !home.empty() && home[0] == '/') {
    return JoinPath(home, ".local/state/galley");
  }
  const struct passwd* user = getpwuid(geteuid());
  if (user != nullptr && user->pw_dir != nullptr && user->pw_dir[0] == '/') {
    return JoinPath(user->pw_dir, ".local/state/galley");
  }
  return absl::NotFoundError(absl::StrCat("no home folder for user ", geteuid(), "; give --state-dir"));
}

absl::Status CheckSocketPath(absl::string_view path) {
  if (path.size() <= kMaxSocketPath) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", path.size(),
                                                 " bytes, and a socket path may have ", kMaxSocketPath,
                                                 "; choose a shorter folder"));
}

}  // namespace galley
