// Threads for what may take long.
#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "runtime/base/mutex.h"

namespace galley::service {

// Work that may take long, off gRPC's few threads. The destructor waits for all of it.
class Tasks {
 public:
  ~Tasks() {
    MutexLock lock(mutex_);
    idle_.wait(lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; });
  }
  void Run(std::function<void()> work) {
    {
      MutexLock lock(mutex_);
      ++running_;
    }
    std::thread([this, work = std::move(work)] {
      work();
      MutexLock lock(mutex_);
      if (--running_ == 0) idle_.notify_all();
    }).detach();
  }

 private:
  Mutex mutex_;
  CondVar idle_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace galley::service
