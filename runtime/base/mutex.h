// A mutex whose use clang checks: ABSL_GUARDED_BY(mutex_) on a member, ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_)
// on a function, or a lambda that tells a condition, that is called with it held. `./dev lint` fails on an
// access without the lock.
//
// It wraps std::mutex, since libstdc++ does not annotate its own types. absl::Mutex is annotated, but
// evaluates the conditions of all who wait at every unlock, and knows no notify.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace galley {

class ABSL_LOCKABLE Mutex {
 private:
  friend class MutexLock;
  std::mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() ABSL_UNLOCK_FUNCTION() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  // For what must not be done with the lock held.
  void unlock() ABSL_UNLOCK_FUNCTION() { lock_.unlock(); }
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { lock_.lock(); }

 private:
  friend class CondVar;
  std::unique_lock<std::mutex> lock_;
};

// A wait lets the lock go and holds it again when it returns. Its conditions are called with it held, which
// clang cannot see here and is told at the lambda.
class CondVar {
 public:
  void notify_one() { changed_.notify_one(); }
  void notify_all() { changed_.notify_all(); }

  template <class Condition>
  void wait(MutexLock& lock, Condition condition) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    changed_.wait(lock.lock_, std::move(condition));
  }
  // Whether the condition holds, after `timeout` at the latest.
  template <class Condition>
  bool wait_for(MutexLock& lock, absl::Duration timeout, Condition condition) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return changed_.wait_for(lock.lock_, absl::ToChronoNanoseconds(timeout), std::move(condition));
  }
  // Until notified or `timeout` is over, or for no reason.
  void wait_for(MutexLock& lock, absl::Duration timeout) {
    changed_.wait_for(lock.lock_, absl::ToChronoNanoseconds(timeout));
  }

 private:
  std::condition_variable changed_;
};

}  // namespace galley
