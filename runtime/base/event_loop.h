// One thread, one epoll: file descriptors, timers, and work handed over from other threads. A daemon's state
// that is touched only by the loop's callbacks needs no lock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "runtime/base/mutex.h"

namespace galley {

class EventLoop {
 public:
  using Callback = std::function<void()>;
  using FdCallback = std::function<void(bool readable, bool writable)>;
  using Timer = uint64_t;

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // From the loop's thread, or before Run. Readable is watched always, writable when asked; a hang-up or
  // error is told as readable. Watch again changes what is watched. The descriptor stays the caller's.
  void Watch(int fd, bool writable, FdCallback callback);
  void Unwatch(int fd);  // before the descriptor is closed; no callback for it comes after

  Timer After(absl::Duration delay, Callback callback);  // once
  void Cancel(Timer timer);                              // one that has run is ignored

  // From any thread: `callback` runs on the loop, in order
  // of posting. What is posted after Stop may be dropped.
  void Post(Callback callback);

  void Run();   // until Stop; work posted before Stop is still done
  void Stop();  // from any thread

 private:
  void RunPosted();
  void RunTimers();
  int WaitMillis() const;

  int epoll_ = -1;
  int wake_ = -1;
  struct Watched {
    std::shared_ptr<FdCallback> callback;  // shared with the call in progress, which may unwatch itself
    uint64_t generation;                   // tells an event of a closed descriptor from one of its successor
  };
  std::map<int, Watched> fds_;
  std::map<uint64_t, int> fd_of_;  // by generation
  uint64_t generation_ = 0;
  std::map<std::pair<int64_t, Timer>, Callback> timers_;  // by monotonic nanoseconds
  std::map<Timer, int64_t> timer_at_;
  Timer next_timer_ = 1;
  Mutex mutex_;
  std::vector<Callback> posted_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace galley
