// For tests: a server that records everything, and reports to send to it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/link/client.h"
#include "runtime/link/server.h"

namespace galley::link {

// A server on its own thread that records everything.
class TestServer : public Handler {
 public:
  explicit TestServer(const std::string& path, bool done = true) : done_(done) {
    auto server = Server::Listen(loop_, path, *this);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    thread_ = std::thread([this] { loop_.Run(); });
  }
  ~TestServer() override {
    Do([this] { server_.reset(); });
    loop_.Stop();
    thread_.join();
  }

  absl::Status OnHello(Session session, const v1::Hello& hello) override {
    std::lock_guard lock(mutex_);
    session_ = session;
    log_.push_back(absl::StrCat("hello ", hello.rank()));
    changed_.notify_all();
    return refuse_;
  }
  void OnReport(Session session, uint64_t sequence, v1::Report report) override {
    Record(sequence, report);
    if (sequence > 0 && done_) server_->Done(session, sequence);
  }
  void Record(uint64_t sequence, const v1::Report& report) {
    std::lock_guard lock(mutex_);
    sequences_.push_back(sequence);
    if (report.has_heartbeat()) {
      ++heartbeats_;
      heartbeat_ = report.heartbeat();
    } else {
      reports_.push_back(report);
      log_.push_back(report.has_ready()      ? "ready"
                     : report.has_step()     ? absl::StrCat("step ", report.step().values(0).bits())
                     : report.has_shard()    ? absl::StrCat("shard ", report.shard().step())
                     : report.has_notice()   ? absl::StrCat("notice ", report.notice().kind())
                     : report.has_finished() ? "finished"
                                             : "other");
    }
    changed_.notify_all();
  }
  void OnDisconnect(Session) override {
    std::lock_guard lock(mutex_);
    log_.push_back("gone");
    changed_.notify_all();
  }
  void OnOrderTaken(Session, uint64_t sequence) override {
    std::lock_guard lock(mutex_);
    taken_ = sequence;
    changed_.notify_all();
  }

  // Runs on the loop and waits for it.
  void Do(std::function<void()> what) {
    bool done = false;
    loop_.Post([&] {
      what();
      std::lock_guard lock(mutex_);
      done = true;
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done; });
  }
  // Waits until `what` (called under the lock) holds.
  bool Until(const std::function<bool()>& what) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), what);
  }
  bool UntilLogged(const std::string& line) {
    return Until([&] { return std::find(log_.begin(), log_.end(), line) != log_.end(); });
  }
  std::vector<std::string> log() {
    std::lock_guard lock(mutex_);
    return log_;
  }
  Session session() {
    std::lock_guard lock(mutex_);
    return session_;
  }

  EventLoop loop_;
  std::unique_ptr<Server> server_;
  const bool done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  absl::Status refuse_;
  Session session_ = 0;
  std::vector<std::string> log_;
  std::vector<v1::Report> reports_;
  std::vector<uint64_t> sequences_;
  int heartbeats_ = 0;
  v1::Heartbeat heartbeat_;
  uint64_t taken_ = 0;
  std::thread thread_;
};

class LinkTest : public ::testing::Test {
 protected:
  LinkTest() : path_(JoinPath(dir_.path(), "s/rank.sock")) {}
  std::unique_ptr<Client> Connect(ClientOptions options = {}) {
    v1::Hello hello;
    hello.set_rank(3);
    options.last_retry = absl::Milliseconds(20);
    return Client::Connect(path_, hello, options);
  }
  static v1::Report Step(int64_t step) {
    v1::Report report;
    report.mutable_step()->add_values()->set_bits(step);
    return report;
  }
  static v1::Report Shard(int64_t step) {
    v1::Report report;
    report.mutable_shard()->set_step(step);
    return report;
  }
  static v1::Report Finished() {
    v1::Report report;
    report.mutable_finished()->set_outcome(v1::Finished::COMPLETED);
    return report;
  }
  static v1::Report Ready() {
    v1::Report report;
    report.mutable_ready()->set_address("here");
    return report;
  }

  TempDir dir_;
  std::string path_;
};

}  // namespace galley::link
