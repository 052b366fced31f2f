#include "runtime/base/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "runtime/base/check.h"
#include "runtime/base/mutex.h"

namespace galley {
namespace {

constexpr uint64_t kWakeKey = 0;  // of the eventfd; descriptors carry their generation, from 1

int64_t MonotonicNanos() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

}  // namespace

EventLoop::EventLoop() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  CHECK(epoll_ >= 0) << std::strerror(errno);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(wake_ >= 0) << std::strerror(errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeKey;
  CHECK_EQ(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event), 0);
}

EventLoop::~EventLoop() {
  ::close(wake_);
  ::close(epoll_);
}

void EventLoop::Watch(int fd, bool writable, FdCallback callback) {
  const bool known = fds_.count(fd) > 0;
  const uint64_t generation = known ? fds_[fd].generation : ++generation_;
  fds_[fd] = Watched{std::make_shared<FdCallback>(std::move(callback)), generation};
  fd_of_[generation] = fd;
  epoll_event event{};
  event.events = EPOLLIN | (writable ? uint32_t{EPOLLOUT} : 0u);
  event.data.u64 = generation;
  CHECK_EQ(::epoll_ctl(epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event), 0)
      << "fd " << fd << ": " << std::strerror(errno);
}

void EventLoop::Unwatch(int fd) {
  auto it = fds_.find(fd);
  if (it == fds_.end()) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  fd_of_.erase(it->second.generation);
  fds_.erase(it);
}

EventLoop::Timer EventLoop::After(absl::Duration delay, Callback callback) {
  const Timer timer = next_timer_++;
  const int64_t at = MonotonicNanos() + std::max<int64_t>(0, absl::ToInt64Nanoseconds(delay));
  timers_[{at, timer}] = std::move(callback);
  timer_at_[timer] = at;
  return timer;
}

void EventLoop::Cancel(Timer timer) {
  auto it = timer_at_.find(timer);
  if (it == timer_at_.end()) return;
  timers_.erase({it->second, timer});
  timer_at_.erase(it);
}

void EventLoop::Post(Callback callback) {
  {
    MutexLock lock(mutex_);
    posted_.push_back(std::move(callback));
  }
  // Fails only when the counter is full, and then the loop is about to wake anyway.
  const uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof(one));
}

void EventLoop::Stop() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  const uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof(one));
}

void EventLoop::RunPosted() {
  std::vector<Callback> work;
  {
    MutexLock lock(mutex_);
    work.swap(posted_);
  }
  // Without the lock: a callback may post, and whoever posts must not wait for the work.
  for (auto& callback : work) callback();
}

void EventLoop::RunTimers() {
  const int64_t now = MonotonicNanos();
  // A timer set by a callback waits for the next turn, so a zero delay cannot starve the descriptors.
  const Timer last = next_timer_;
  for (;;) {
    auto it = timers_.begin();
    while (it != timers_.end() && it->first.first <= now && it->first.second >= last) ++it;
    if (it == timers_.end() || it->first.first > now) return;
    Callback callback = std::move(it->second);
    timer_at_.erase(it->first.second);
    timers_.erase(it);
    callback();
  }
}

int EventLoop::WaitMillis() const {
  if (timers_.empty()) return -1;
  const int64_t nanos = timers_.begin()->first.first - MonotonicNanos();
  if (nanos <= 0) return 0;
  // Rounded up: rounded down, the loop would turn idle through the last millisecond. An early return after a
  // minute does no harm.
  return static_cast<int>(std::min<int64_t>((nanos + 999'999) / 1'000'000, 60'000));
}

void EventLoop::Run() {
  for (;;) {
    // Read before the posted work is taken, so that what was posted before Stop is still done.
    bool stop;
    {
      MutexLock lock(mutex_);
      stop = stop_;
    }
    RunPosted();
    if (stop) {
      MutexLock lock(mutex_);
      stop_ = false;
      return;
    }
    epoll_event events[64];
    const int n = ::epoll_wait(epoll_, events, 64, WaitMillis());
    CHECK(n >= 0 || errno == EINTR) << std::strerror(errno);
    for (int i = 0; i < n; ++i) {
      const uint64_t key = events[i].data.u64;
      if (key == kWakeKey) {
        uint64_t count;
        (void)!::read(wake_, &count, sizeof(count));
        continue;
      }
      auto it = fd_of_.find(key);
      if (it == fd_of_.end()) continue;  // unwatched by an earlier callback of this turn
      const uint32_t what = events[i].events;
      auto callback = fds_[it->second].callback;  // a copy keeps it alive when it unwatches itself
      (*callback)((what & ~uint32_t{EPOLLOUT}) != 0, (what & EPOLLOUT) != 0);
    }
    RunTimers();
  }
}

}  // namespace galley
