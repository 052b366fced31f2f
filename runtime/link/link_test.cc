// Client and server together, over a real socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/link/client.h"
#include "runtime/link/frame.h"
#include "runtime/link/server.h"
#include "runtime/link/socket.h"

namespace galley::link {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST_F(LinkTest, ReportsArriveInOrderAndFlushWaitsForTheirAcknowledgement) {
  TestServer server(path_, /*done=*/false);
  auto client = Connect();
  client->Send(Step(1));
  client->Send(Shard(1));
  client->Send(Finished());
  ASSERT_TRUE(server.UntilLogged("finished"));
  EXPECT_THAT(server.log(), ElementsAre("hello 3", "step 1", "shard 1", "finished"));
  EXPECT_TRUE(client->connected());
  EXPECT_EQ(client->away(), absl::ZeroDuration());
  EXPECT_FALSE(client->Flush(absl::ZeroDuration()));
  // The shard is done last: nothing behind it counts before.
  server.Do([&] { server.server_->Done(server.session_, 1); });
  server.Do([&] { server.server_->Done(server.session_, 3); });
  EXPECT_FALSE(client->Flush(absl::Milliseconds(20)));
  server.Do([&] { server.server_->Done(server.session_, 2); });
  EXPECT_TRUE(client->Flush(absl::Seconds(20)));
}

TEST_F(LinkTest, ARestartedTrainerdGetsWhatWasNotAcknowledgedAndReadyAgain) {
  auto client = Connect();
  {
    TestServer first(path_, /*done=*/false);
    client->Send(Ready());
    client->Send(Step(1));
    client->Send(Step(2));
    client->Send(Shard(2));
    ASSERT_TRUE(first.UntilLogged("shard 2"));
    first.Do([&] { first.server_->Done(first.session_, 1); });
  }
  client->Send(Step(3));  // while nobody listens
  TestServer second(path_);
  ASSERT_TRUE(second.UntilLogged("step 3"));
  std::vector<std::string> log = second.log();
  // The acknowledgement of step 1 may or may not have come through before the first server ended.
  if (log.size() > 2 && log[2] == "step 1") log.erase(log.begin() + 2);
  EXPECT_THAT(log, ElementsAre("hello 3", "ready", "step 2", "shard 2", "step 3"));
  EXPECT_TRUE(client->Flush(absl::Seconds(20)));
}

TEST_F(LinkTest, TheSpoolIsBoundedDropsTheOldestStepsAndSaysSo) {
  ClientOptions options;
  options.spool_bytes = 32 << 10;
  auto client = Connect(options);
  client->Send(Shard(7));
  for (int i = 1; i <= 5000; ++i) client->Send(Step(i));
  client->Send(Finished());
  EXPECT_FALSE(client->Flush(absl::ZeroDuration()));
  TestServer server(path_);
  ASSERT_TRUE(client->Flush(absl::Seconds(20)));
  int64_t steps = 0, last = 0, dropped = 0;
  for (const v1::Report& report : server.reports_) {
    if (report.has_step()) {
      ++steps;
      const auto step = static_cast<int64_t>(report.step().values(0).bits());
      EXPECT_GT(step, last);
      last = step;
    }
    if (report.has_notice()) {
      EXPECT_EQ(report.notice().kind(), "reports_dropped");
      dropped += std::stoll(report.notice().message());
    }
  }
  EXPECT_EQ(last, 5000);  // the newest are kept
  EXPECT_EQ(steps + dropped, 5000);
  EXPECT_EQ(server.log()[1], "shard 7");  // never dropped, and still first
  EXPECT_THAT(server.log(), ::testing::Contains("finished"));
}

TEST_F(LinkTest, SendNeverWaitsForATrainerdThatDoesNotRead) {
  auto listener = ListenUnix(path_);
  ASSERT_TRUE(listener.ok());
  ClientOptions options;
  options.spool_bytes = 1 << 20;
  auto client = Connect(options);
  for (int i = 0; i < 200'000; ++i) client->Send(Step(i));  // would never return if it waited
  EXPECT_FALSE(client->Flush(absl::ZeroDuration()));
  client.reset();
  ::close(*listener);
}

TEST_F(LinkTest, HeartbeatsTellTheNewestProgressAndGoOnWithoutAny) {
  TestServer server(path_);
  ClientOptions options;
  options.heartbeat = absl::Milliseconds(20);
  auto client = Connect(options);
  for (int i = 0; i <= 1000; ++i) client->SetProgress("train", i, 2 * i);
  EXPECT_TRUE(server.Until([&] { return server.heartbeat_.step() == 1000; }));
  EXPECT_EQ(server.heartbeat_.phase(), "train");
  EXPECT_EQ(server.heartbeat_.item(), 2000);
  const int before = [&] {
    std::lock_guard lock(server.mutex_);
    EXPECT_LT(server.heartbeats_, 200);
    return server.heartbeats_;
  }();
  EXPECT_TRUE(server.Until([&] { return server.heartbeats_ >= before + 3; }));
  EXPECT_TRUE(client->Flush(absl::ZeroDuration()));  // they are never spooled
}

TEST_F(LinkTest, OrdersComeInOrderAlsoWhenTheRankIsSlowToTakeThem) {
  TestServer server(path_);
  ClientOptions options;
  options.max_orders = 4;
  auto client = Connect(options);
  ASSERT_TRUE(server.UntilLogged("hello 3"));
  EXPECT_FALSE(client->Poll().has_value());
  EXPECT_FALSE(client->WaitOrder(absl::Milliseconds(1)).has_value());
  server.Do([&] {
    for (int i = 1; i <= 100; ++i) {
      v1::Order order;
      order.mutable_save()->set_request_id(absl::StrCat(i));
      server.server_->Send(server.session_, order);
    }
  });
  for (int i = 1; i <= 100; ++i) {
    auto order = client->WaitOrder(absl::Seconds(20));
    ASSERT_TRUE(order.has_value());
    EXPECT_EQ(order->save().request_id(), absl::StrCat(i));
  }
  EXPECT_TRUE(server.Until([&] { return server.taken_ == 100; }));
}

TEST_F(LinkTest, StartAndPeersComeOnce) {
  TestServer server(path_);
  auto client = Connect();
  ASSERT_TRUE(server.UntilLogged("hello 3"));
  server.Do([&] {
    v1::Order start, peers, stop;
    start.mutable_start()->set_run_id("r");
    peers.mutable_peers()->add_addresses("a");
    stop.mutable_stop()->set_save(true);
    for (const v1::Order& order : {start, start, peers, peers, stop}) {
      server.server_->Send(server.session_, order);
    }
  });
  EXPECT_TRUE(client->WaitOrder(absl::Seconds(20))->has_start());
  EXPECT_TRUE(client->WaitOrder(absl::Seconds(20))->has_peers());
  EXPECT_TRUE(client->WaitOrder(absl::Seconds(20))->stop().save());
}

TEST_F(LinkTest, ARefusedRankIsToldWhyAndTheOrderIsAbort) {
  TestServer server(path_);
  server.Do([&] { server.refuse_ = absl::FailedPreconditionError("attempt 2 is over"); });
  auto client = Connect();
  auto order = client->WaitOrder(absl::Seconds(20));
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(order->abort().reason(), "attempt 2 is over");
}

TEST_F(LinkTest, TheSocketIsTheUsersOwn) {
  TestServer server(path_);
  struct stat st;
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(DirName(path_).c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
}

TEST_F(LinkTest, ASecondServerIsRefusedAndAStaleSocketReplaced) {
  {
    TestServer server(path_);
    EXPECT_EQ(ListenUnix(path_).status().code(), absl::StatusCode::kAlreadyExists);
  }
  auto dead = ListenUnix(path_);
  ASSERT_TRUE(dead.ok());
  ::close(*dead);  // as after kill -9: the file stays
  ASSERT_TRUE(FileExists(path_));
  TestServer server(path_);
  auto client = Connect();
  EXPECT_TRUE(server.UntilLogged("hello 3"));
}

TEST_F(LinkTest, ATooLongPathIsAClearError) {
  auto fd = ListenUnix(JoinPath(dir_.path(), std::string(120, 'x')));
  EXPECT_THAT(std::string(fd.status().message()), HasSubstr("choose a shorter folder"));
}

// A peer that speaks raw bytes.
class RawPeer {
 public:
  explicit RawPeer(const std::string& path) : fd_(*ConnectUnix(path)) {}
  ~RawPeer() { ::close(fd_); }
  void Write(std::string bytes) {
    while (!bytes.empty() && WriteFrom(fd_, bytes)) {
    }
  }
  // The next frame, or nullopt at the end of the stream.
  std::optional<Frame> Read() {
    for (;;) {
      auto frame = reader_.Next();
      if (frame.ok() && frame->has_value()) return *frame;
      if (closed_) return std::nullopt;
      closed_ = !ReadInto(fd_, reader_);
    }
  }
  void Hello(int32_t pid, uint64_t session) {
    v1::Report report;
    report.mutable_hello()->set_pid(pid);
    report.mutable_hello()->set_session(session);
    Write(EncodeFrame(FrameKind::kReport, 0, report.SerializeAsString()));
  }

 private:
  int fd_;
  FrameReader reader_;
  bool closed_ = false;
};

TEST_F(LinkTest, HostilePeersAreCutOffAndTheOthersServed) {
  TestServer server(path_);
  auto client = Connect();
  ASSERT_TRUE(server.UntilLogged("hello 3"));
  std::string huge = EncodeFrame(FrameKind::kReport, 1, "");
  huge[22] = 0x7f;  // claims 2^55 bytes
  std::string flipped = EncodeFrame(FrameKind::kReport, 1, "payload");
  flipped.back() ^= 1;
  for (const std::string& bytes :
       {std::string(100, 'x'), huge, flipped, EncodeFrame(FrameKind::kReport, 1, "\xff\xff\xff"),
        EncodeFrame(FrameKind::kOrder, 1, ""),
        EncodeFrame(FrameKind::kReport, 5, Step(1).SerializeAsString())}) {
    RawPeer peer(path_);
    peer.Write(bytes);
    EXPECT_FALSE(peer.Read().has_value());
  }
  RawPeer liar(path_);
  liar.Hello(1, 77);  // not its pid
  EXPECT_FALSE(liar.Read().has_value());
  client->Send(Step(1));
  EXPECT_TRUE(client->Flush(absl::Seconds(20)));
  EXPECT_THAT(server.log(), ElementsAre("hello 3", "step 1"));
}

TEST_F(LinkTest, AnOrderThatWasNotTakenComesAgainAfterAReconnection) {
  TestServer server(path_);
  {
    RawPeer peer(path_);
    peer.Hello(::getpid(), 77);
    ASSERT_TRUE(server.UntilLogged("hello 0"));
    server.Do([&] {
      v1::Order order;
      order.mutable_save()->set_request_id("s");
      server.server_->Send(77, order);
      server.server_->Send(77, order);
    });
    EXPECT_EQ(peer.Read()->sequence, 1u);
    EXPECT_EQ(peer.Read()->sequence, 2u);
    peer.Write(EncodeFrame(FrameKind::kAck, 1, ""));
    ASSERT_TRUE(server.Until([&] { return server.taken_ == 1; }));
  }
  ASSERT_TRUE(server.UntilLogged("gone"));
  RawPeer peer(path_);
  peer.Hello(::getpid(), 77);
  EXPECT_EQ(peer.Read()->sequence, 2u);
}

TEST_F(LinkTest, ANewConnectionOfARankReplacesItsOldOneAndRepeatsAreDropped) {
  TestServer server(path_);
  RawPeer first(path_), second(path_);
  first.Hello(::getpid(), 77);
  first.Write(EncodeFrame(FrameKind::kReport, 1, Step(1).SerializeAsString()));
  EXPECT_EQ(first.Read()->sequence, 1u);  // the acknowledgement
  second.Hello(::getpid(), 77);
  second.Write(EncodeFrame(FrameKind::kReport, 1, Step(1).SerializeAsString()));
  second.Write(EncodeFrame(FrameKind::kReport, 2, Step(2).SerializeAsString()));
  ASSERT_TRUE(server.UntilLogged("step 2"));
  EXPECT_THAT(server.log(), ElementsAre("hello 0", "step 1", "hello 0", "step 2"));
  EXPECT_FALSE(first.Read().has_value());
}

}  // namespace
}  // namespace galley::link
