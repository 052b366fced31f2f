// Client and server together, over a real socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "runtime/link/link_for_test.h"
#include "runtime/link/socket.h"

namespace galley::link {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
      EXPECT_EQ(report.notice().kind(), v1::NoticeKind::REPORTS_DROPPED);
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
  for (int i = 0; i <= 1000; ++i) client->SetProgress(v1::Phase::TRAIN, i, 2 * i);
  EXPECT_TRUE(server.Until([&] { return server.heartbeat_.step() == 1000; }));
  EXPECT_EQ(server.heartbeat_.phase(), v1::Phase::TRAIN);
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

}  // namespace
}  // namespace galley::link
