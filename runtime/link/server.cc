#include "runtime/link/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <map>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/link/frame.h"
#include "runtime/link/socket.h"

namespace galley::link {
namespace {

// A rank that does not read: past this its connection is cut and its orders wait for the next.
constexpr size_t kMaxOut = size_t{64} << 20;
constexpr size_t kMaxConnections = 4096;

struct Peer {
  int fd = -1;  // -1: not connected now
  uint64_t received = 0;
  struct Report {
    uint64_t sequence;
    bool done;
  };
  std::deque<Report> open;  // received, and not acknowledged yet
  uint64_t acknowledged = 0;
  uint64_t next_order = 1;
  std::deque<std::pair<uint64_t, std::string>> orders;  // frames not yet taken by the rank
};

struct Connection {
  int fd = -1;
  Session session = 0;  // 0: no Hello yet
  FrameReader reader;
  std::string out;
  bool closing = false;  // once `out` is written
};

class ServerImpl : public Server {
 public:
  ServerImpl(EventLoop& loop, std::string path, int fd, Handler& handler)
      : loop_(loop), path_(std::move(path)), fd_(fd), handler_(handler) {
    loop_.Watch(fd_, false, [this](bool, bool) { Accept(); });
  }

  ~ServerImpl() override {
    loop_.Unwatch(fd_);
    ::close(fd_);
    ::unlink(path_.c_str());
    for (auto& [fd, connection] : connections_) {
      loop_.Unwatch(fd);
      ::close(fd);
    }
  }

  uint64_t Send(Session session, const v1::Order& order) override {
    auto it = peers_.find(session);
    CHECK(it != peers_.end()) << "unknown session";
    Peer& peer = it->second;
    const uint64_t sequence = peer.next_order++;
    peer.orders.emplace_back(sequence, EncodeFrame(FrameKind::kOrder, sequence, order.SerializeAsString()));
    if (peer.fd >= 0) Write(peer.fd, peer.orders.back().second);
    return sequence;
  }

  void Done(Session session, uint64_t sequence) override {
    auto it = peers_.find(session);
    if (it == peers_.end()) return;
    Peer& peer = it->second;
    for (auto& report : peer.open) {
      if (report.sequence == sequence) report.done = true;
    }
    const uint64_t before = peer.acknowledged;
    while (!peer.open.empty() && peer.open.front().done) {
      peer.acknowledged = peer.open.front().sequence;
      peer.open.pop_front();
    }
    if (peer.acknowledged != before && peer.fd >= 0) {
      Write(peer.fd, EncodeFrame(FrameKind::kAck, peer.acknowledged, ""));
    }
  }

  void Forget(Session session) override {
    auto it = peers_.find(session);
    if (it == peers_.end()) return;
    const int fd = it->second.fd;
    peers_.erase(it);
    if (fd >= 0) Drop(fd);
  }

 private:
  void Accept() {
    for (;;) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) return;
      if (connections_.size() >= kMaxConnections) {
        ::close(fd);
        continue;
      }
      connections_[fd].fd = fd;
      Rewatch(fd, false);
    }
  }

  void Rewatch(int fd, bool writable) {
    loop_.Watch(fd, writable, [this, fd](bool read, bool write) { OnEvent(fd, read, write); });
  }

  void OnEvent(int fd, bool readable, bool writable) {
    if (writable) Write(fd, "");
    auto it = connections_.find(fd);
    if (it == connections_.end() || !readable) return;
    // What came before the end of the connection still counts, so frames are taken before it is dropped.
    const bool alive = ReadInto(fd, it->second.reader);
    if (it->second.closing) {
      it->second.reader = FrameReader();
      if (!alive) Drop(fd);
      return;
    }
    if (!TakeFrames(fd) || !alive) Drop(fd);
  }

  // False: the connection is to be dropped. It may be gone already when this returns.
  bool TakeFrames(int fd) {
    for (;;) {
      // As well: a report's handler may end its rank, and the connection with it.
      auto it = connections_.find(fd);
      if (it == connections_.end() || it->second.closing) return true;
      absl::StatusOr<std::optional<Frame>> frame = it->second.reader.Next();
      if (!frame.ok()) {
        LogWarning(path_, ": ", frame.status().message(), "; the connection is closed");
        return false;
      }
      if (!frame->has_value()) return true;
      const Session session = it->second.session;
      if ((*frame)->kind == FrameKind::kAck) {
        TakeOrderAck(session, (*frame)->sequence);
        continue;
      }
      v1::Report report;
      if ((*frame)->kind != FrameKind::kReport || !report.ParseFromString((*frame)->payload)) {
        LogWarning(path_, ": a frame is not a report; the connection is closed");
        return false;
      }
      if (session == 0) {
        if (!TakeHello(fd, report)) return false;
      } else if (!report.has_hello()) {
        TakeReport(session, (*frame)->sequence, std::move(report));
      }
    }
  }

  bool TakeHello(int fd, const v1::Report& report) {
    if (!report.has_hello() || report.hello().session() == 0) {
      LogWarning(path_, ": a connection does not begin with Hello and is closed");
      return false;
    }
    // The kernel knows the peer better than its message; 0 is a process of another pid namespace.
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != ::geteuid() && peer.uid != 0) || (peer.pid != 0 && peer.pid != report.hello().pid())) {
      LogWarning(path_, ": Hello of pid ", report.hello().pid(), " came from pid ", peer.pid, " of user ",
                 peer.uid, "; the connection is closed");
      return false;
    }
    const Session session = report.hello().session();
    connections_[fd].session = session;
    // A rank that connects again may do so before the end of its old connection is seen here. Without the fd,
    // Drop takes it for replaced and reports no disconnection.
    const int old = std::exchange(peers_[session].fd, -1);
    if (old >= 0) Drop(old);
    // The peer counts as connected only after this, so what OnHello sends waits behind older orders.
    absl::Status status = handler_.OnHello(session, report.hello());
    auto it = peers_.find(session);
    if (!status.ok() || it == peers_.end()) {
      peers_.erase(session);
      connections_[fd].session = 0;
      connections_[fd].closing = true;
      v1::Order order;
      order.mutable_abort()->set_reason(std::string(status.message()));
      Write(fd, EncodeFrame(FrameKind::kOrder, 1, order.SerializeAsString()));
      return true;
    }
    it->second.fd = fd;
    std::string out;
    if (it->second.acknowledged > 0) out = EncodeFrame(FrameKind::kAck, it->second.acknowledged, "");
    for (const auto& order : it->second.orders) out += order.second;
    Write(fd, out);
    return true;
  }

  void TakeReport(Session session, uint64_t sequence, v1::Report report) {
    if (sequence > 0) {
      Peer& peer = peers_[session];
      if (sequence <= peer.received) return;  // sent again after a reconnection
      peer.received = sequence;
      peer.open.push_back({sequence, false});
    }
    handler_.OnReport(session, sequence, std::move(report));
  }

  void TakeOrderAck(Session session, uint64_t sequence) {
    // Looked up anew each time: the handler may forget the session.
    for (;;) {
      auto it = peers_.find(session);
      if (it == peers_.end() || it->second.orders.empty() || it->second.orders.front().first > sequence)
        return;
      const uint64_t taken = it->second.orders.front().first;
      it->second.orders.pop_front();
      handler_.OnOrderTaken(session, taken);
    }
  }

  void Write(int fd, absl::string_view bytes) {
    auto it = connections_.find(fd);
    if (it == connections_.end()) return;
    Connection& connection = it->second;
    const bool was_waiting = !connection.out.empty();
    connection.out.append(bytes.data(), bytes.size());
    const bool alive = WriteFrom(fd, connection.out);
    // Dropped in a later turn: the caller may be in the middle of using the session.
    if (!alive || connection.out.size() > kMaxOut || (connection.closing && connection.out.empty())) {
      connection.out.clear();
      ::shutdown(fd, connection.closing && alive ? SHUT_WR : SHUT_RDWR);
      Rewatch(fd, false);
      return;
    }
    if (was_waiting || !connection.out.empty()) Rewatch(fd, !connection.out.empty());
  }

  void Drop(int fd) {
    auto it = connections_.find(fd);
    if (it == connections_.end()) return;
    const Session session = it->second.session;
    connections_.erase(it);
    loop_.Unwatch(fd);
    ::close(fd);
    auto peer = peers_.find(session);
    if (peer == peers_.end() || peer->second.fd != fd) return;  // replaced by a newer connection
    peer->second.fd = -1;
    handler_.OnDisconnect(session);
  }

  EventLoop& loop_;
  const std::string path_;
  const int fd_;
  Handler& handler_;
  std::map<int, Connection> connections_;
  std::map<Session, Peer> peers_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(EventLoop& loop, const std::string& path,
                                                       Handler& handler) {
  ASSIGN_OR_RETURN(int fd, ListenUnix(path));
  return std::make_unique<ServerImpl>(loop, path, fd, handler);
}

}  // namespace galley::link
