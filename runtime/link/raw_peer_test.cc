// The server against peers that send bytes of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "runtime/link/frame.h"
#include "runtime/link/link_for_test.h"
#include "runtime/link/socket.h"

namespace galley::link {
namespace {

using ::testing::ElementsAre;

// A peer that writes and reads single frames.
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

using RawPeerTest = LinkTest;

TEST_F(RawPeerTest, HostilePeersAreCutOffAndTheOthersServed) {
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

TEST_F(RawPeerTest, AnOrderThatWasNotTakenComesAgainAfterAReconnection) {
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

TEST_F(RawPeerTest, ANewConnectionOfARankReplacesItsOldOneAndRepeatsAreDropped) {
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
