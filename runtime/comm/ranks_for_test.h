// For tests: a group of forked processes, each a rank, whose addresses the test passes on. A rank runs a
// body; a failed EXPECT in it, a crash or a hang is a failure of the test.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/comm/ucx_group.h"

namespace galley::comm {

// Between a rank and the test: text messages with bounds.
class TestLine {
 public:
  explicit TestLine(int fd) : fd_(fd) {}
  void SendText(const std::string& text) const {
    // A leading byte, since an empty message would read as the end.
    CHECK(send(fd_, ("." + text).data(), text.size() + 1, MSG_NOSIGNAL) >= 0) << "the other side is gone";
  }
  // "" and false in `alive` when the other side is gone, or silent for a minute.
  std::string RecvText(bool* alive = nullptr) const {
    std::string text(1 << 17, '\0');
    pollfd waiting{fd_, POLLIN, 0};
    ssize_t got = poll(&waiting, 1, 60'000) > 0 ? recv(fd_, text.data(), text.size(), 0) : 0;
    if (alive != nullptr) *alive = got > 0;
    return got > 0 ? text.substr(1, static_cast<size_t>(got) - 1) : "";
  }

 private:
  int fd_;
};

// The stream of the calling thread.
inline Stream& Cpu() {
  thread_local Stream stream = CpuStream(1);
  return stream;
}

// A value that all ranks and the test see. Make it before the ranks.
template <class T>
class Shared {
 public:
  Shared() {
    void* p = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    value_ = new (p) T();
  }
  ~Shared() { munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  T* operator->() const { return value_; }

 private:
  T* value_;
};

class TestRanks {
 public:
  using Body = std::function<void(int rank, const TestLine& line)>;

  TestRanks(int size, const Body& body) {
    for (int r = 0; r < size; ++r) {
      int fds[2];
      CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
      pid_t pid = fork();
      CHECK(pid >= 0);
      if (pid == 0) {
        for (int fd : fds_) close(fd);
        close(fds[0]);
        body(r, TestLine(fds[1]));
        fflush(nullptr);
        _exit(testing::Test::HasFailure() ? 1 : 0);
      }
      close(fds[1]);
      fds_.push_back(fds[0]);
      pids_.push_back(pid);
    }
  }

  ~TestRanks() {
    for (int r = 0; r < static_cast<int>(pids_.size()); ++r) {
      if (!ended_[static_cast<size_t>(r)]) Kill(r);
      Wait(r);
      close(fds_[static_cast<size_t>(r)]);
    }
  }

  TestLine line(int rank) const { return TestLine(fds_[static_cast<size_t>(rank)]); }
  int size() const { return static_cast<int>(pids_.size()); }
  void Kill(int rank) { kill(pids_[static_cast<size_t>(rank)], SIGKILL); }

  // From each rank its address; to each rank all of them.
  void PassAddresses() {
    std::vector<std::string> addresses;
    for (int r = 0; r < size(); ++r) addresses.push_back(line(r).RecvText());
    for (int r = 0; r < size(); ++r) {
      for (const std::string& address : addresses) line(r).SendText(address);
    }
  }

  // Waits for the end of a rank; true when it ended by itself and without a failure.
  bool Wait(int rank) {
    size_t r = static_cast<size_t>(rank);
    if (!ended_[r]) waitpid(pids_[r], &status_[r], 0);
    ended_[r] = true;
    return WIFEXITED(status_[r]) && WEXITSTATUS(status_[r]) == 0;
  }

  void ExpectAllEndWell() {
    for (int r = 0; r < size(); ++r) EXPECT_TRUE(Wait(r)) << "rank " << r << " of " << size();
  }

 private:
  std::vector<int> fds_;
  std::vector<pid_t> pids_;
  bool ended_[64] = {};
  int status_[64] = {};
};

inline std::unique_ptr<UcxEndpoint> MakeEndpoint(const UcxOptions& options = {}) {
  auto endpoint = UcxEndpoint::Create(options);
  CHECK(endpoint.ok()) << endpoint.status().ToString();
  return *std::move(endpoint);
}

inline std::vector<std::string> TradeAddresses(const TestLine& line, const std::string& own, int size) {
  line.SendText(own);
  std::vector<std::string> addresses;
  for (int r = 0; r < size; ++r) addresses.push_back(line.RecvText());
  return addresses;
}

inline std::unique_ptr<Group> ConnectInTest(const TestLine& line, int rank, int size,
                                            const UcxOptions& options = {}) {
  auto endpoint = MakeEndpoint(options);
  auto group = endpoint->Connect(rank, TradeAddresses(line, endpoint->address(), size));
  CHECK(group.ok()) << group.status().ToString();
  return *std::move(group);
}

// The whole of it for the plain case: `size` connected ranks each run `body`. What each returns, by rank.
inline std::vector<std::string> RunRanks(int size, const std::function<std::string(Group&)>& body,
                                         const UcxOptions& options = {}) {
  TestRanks ranks(size, [&](int rank, const TestLine& line) {
    std::unique_ptr<Group> group = ConnectInTest(line, rank, size, options);
    std::string result = body(*group);
    group.reset();
    line.SendText(result);
  });
  ranks.PassAddresses();
  std::vector<std::string> results;
  for (int r = 0; r < size; ++r) results.push_back(ranks.line(r).RecvText());
  ranks.ExpectAllEndWell();
  return results;
}

}  // namespace galley::comm
