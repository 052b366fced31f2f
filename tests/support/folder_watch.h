// Waits for a folder to change, instead of sleeping.
#pragma once

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <string>

namespace galley::testing {

class FolderWatch {
 public:
  explicit FolderWatch(const std::string& dir) : fd_(::inotify_init1(IN_CLOEXEC)) {
    ::inotify_add_watch(fd_, dir.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO);
  }
  ~FolderWatch() { ::close(fd_); }
  // Returns at the next change, or after a second, so that the caller can see that
  // whoever would change it is gone.
  void Wait() {
    pollfd p = {.fd = fd_, .events = POLLIN, .revents = 0};
    char buffer[4096];
    if (::poll(&p, 1, 1000) > 0) (void)!::read(fd_, buffer, sizeof(buffer));
  }

 private:
  int fd_;
};

}  // namespace galley::testing
