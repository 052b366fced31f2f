#include "runtime/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace galley {
namespace {

TEST(MutexTest, ConditionsAreToldAcrossThreads) {
  Mutex mutex;
  CondVar changed;
  int turn = 0;
  std::thread other([&] {
    MutexLock lock(mutex);
    for (int i = 0; i < 1000; ++i) {
      changed.wait(lock, [&] { return turn == 2 * i + 1; });
      turn = 2 * i + 2;
      changed.notify_all();
    }
  });
  {
    MutexLock lock(mutex);
    for (int i = 0; i < 1000; ++i) {
      turn = 2 * i + 1;
      changed.notify_all();
      changed.wait(lock, [&] { return turn == 2 * i + 2; });
    }
    EXPECT_FALSE(changed.wait_for(lock, absl::Milliseconds(1), [] { return false; }));
    EXPECT_TRUE(changed.wait_for(lock, absl::Seconds(100), [] { return true; }));
    lock.unlock();
    { MutexLock again(mutex); }
    lock.lock();
  }
  other.join();
}

}  // namespace
}  // namespace galley
