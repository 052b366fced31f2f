#include "runtime/base/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace galley {
namespace {

using ::testing::ElementsAre;

TEST(EventLoop, RunsTimersByTheirTimeAndNotTheCancelledOnes) {
  EventLoop loop;
  std::vector<int> ran;
  loop.After(absl::Milliseconds(100), [&] {
    ran.push_back(3);
    loop.Stop();
  });
  loop.After(absl::Milliseconds(1), [&] { ran.push_back(1); });
  const auto cancelled = loop.After(absl::Milliseconds(2), [&] { ran.push_back(2); });
  loop.Cancel(cancelled);
  loop.Cancel(cancelled);
  loop.Run();
  EXPECT_THAT(ran, ElementsAre(1, 3));
}

TEST(EventLoop, AZeroTimerThatSetsAnotherDoesNotStarveTheRest) {
  EventLoop loop;
  int spins = 0;
  std::function<void()> spin = [&] {
    ++spins;
    loop.After(absl::ZeroDuration(), spin);
  };
  spin();
  loop.After(absl::Milliseconds(2), [&] { loop.Stop(); });
  loop.Run();
  EXPECT_GT(spins, 1);
}

TEST(EventLoop, WorkFromOtherThreadsRunsInOrder) {
  EventLoop loop;
  std::vector<int> ran;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop.Post([&ran, i] { ran.push_back(i); });
    loop.Post([&] { loop.Stop(); });
  });
  loop.Run();
  other.join();
  ASSERT_EQ(ran.size(), 100u);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

TEST(EventLoop, TellsReadableWritableAndTheEndOfAStream) {
  EventLoop loop;
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  std::vector<std::string> seen;
  loop.Watch(fds[0], true, [&](bool readable, bool writable) {
    if (writable) {
      seen.push_back("writable");
      ASSERT_EQ(::write(fds[1], "x", 1), 1);
      // Replaces this very callback while it runs.
      loop.Watch(fds[0], false, [&](bool again, bool) {
        char c;
        const ssize_t n = ::read(fds[0], &c, 1);
        seen.push_back(again && n == 1 ? "readable" : "end");
        if (n == 1) ::close(fds[1]);
        if (n == 0) {
          loop.Unwatch(fds[0]);
          loop.Stop();
        }
      });
    }
    EXPECT_FALSE(readable);
  });
  loop.Run();
  ::close(fds[0]);
  EXPECT_THAT(seen, ElementsAre("writable", "readable", "end"));
}

}  // namespace
}  // namespace galley
