#include "runtime/comm/liveness.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::comm {
namespace {

constexpr uint32_t kMagic = 0x31594c47;         // "GLY1"
constexpr uint64_t kListener = ~0ull;           // epoll keys: the listener, else a rank
constexpr size_t kMaxPendingConnections = 256;  // of processes that connect and send nothing

struct Hello {
  uint32_t magic;
  int32_t rank;
  uint64_t cookie;
};

socklen_t MakeName(const std::string& name, sockaddr_un& address) {
  std::memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  size_t size = std::min(name.size(), sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path + 1, name.data(), size);  // a leading zero: the abstract name space
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
}

// An abstract socket has no file mode: any process of the host may connect to it, or have taken its name.
bool SameUser(int fd) {
  ucred peer;
  socklen_t size = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

}  // namespace

Liveness::~Liveness() {
  for (int fd : fds_) {
    if (fd >= 0) close(fd);
  }
  for (int fd : pending_) close(fd);
  if (listen_ >= 0) close(listen_);
  if (epoll_ >= 0) close(epoll_);
}

absl::Status Liveness::Listen() {
  char nonce[16];
  if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce)) return ErrnoStatus(errno, "random bytes");
  name_ = absl::StrCat("galley-rank-", getpid(), "-",
                       absl::BytesToHexString(absl::string_view(nonce, sizeof(nonce))));
  listen_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (listen_ < 0 || epoll_ < 0) return ErrnoStatus(errno, "liveness socket");
  sockaddr_un address;
  socklen_t size = MakeName(name_, address);
  if (bind(listen_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listen_, 1024) != 0) {
    return ErrnoStatus(errno, absl::StrCat("liveness socket @", name_));
  }
  Watch(listen_, kListener);
  return absl::OkStatus();
}

void Liveness::Start(int rank, uint64_t cookie, std::vector<std::string> names) {
  rank_ = rank;
  cookie_ = cookie;
  names_ = std::move(names);
  names_[static_cast<size_t>(rank)].clear();
  fds_.assign(names_.size(), -1);
  missing_ =
      static_cast<int>(std::count_if(names_.begin(), names_.end(), [](auto& n) { return !n.empty(); }));
}

absl::Status Liveness::Advance() {
  // Of each pair the higher rank connects, so that it has one socket.
  for (int r = 0; r < rank_; ++r) {
    if (!names_[static_cast<size_t>(r)].empty()) RETURN_IF_ERROR(ConnectTo(r));
  }
  // Looked at without taking it: a hello that has come in part is left for the next call.
  std::erase_if(pending_, [this](int fd) {
    Hello hello;
    ssize_t got = recv(fd, &hello, sizeof(hello), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (!(got > 0 && got < static_cast<ssize_t>(sizeof(hello)))) {
      if (!AcceptHello(fd)) close(fd);
      return true;
    }
    return false;
  });
  if (complete() && listen_ >= 0) {  // nobody else is expected
    close(listen_);
    listen_ = -1;
  }
  return absl::OkStatus();
}

absl::Status Liveness::ConnectTo(int rank) {
  const std::string& name = names_[static_cast<size_t>(rank)];
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ErrnoStatus(errno, "liveness socket");
  sockaddr_un address;
  socklen_t size = MakeName(name, address);
  Hello hello{kMagic, rank_, cookie_};
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) {
    int error = errno;
    close(fd);
    if (error == EAGAIN) return absl::OkStatus();  // its queue is full: later
    return absl::UnavailableError(
        absl::StrCat("rank ", rank, " is gone: connecting to @", name, ": ", strerror(error)));
  }
  // The buffer of a fresh socket holds so few bytes; a peer that has ended meanwhile is found by Poll.
  if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello) || !SameUser(fd)) {
    close(fd);
    return absl::UnavailableError(absl::StrCat("rank ", rank, " is gone, or is run by another user"));
  }
  Connected(rank, fd);
  return absl::OkStatus();
}

void Liveness::Accept() {
  while (pending_.size() < kMaxPendingConnections) {
    int fd = accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    pending_.push_back(fd);
  }
}

bool Liveness::AcceptHello(int fd) {
  Hello hello;
  if (recv(fd, &hello, sizeof(hello), 0) != sizeof(hello)) return false;
  if (hello.magic != kMagic || hello.cookie != cookie_ || !SameUser(fd)) return false;
  if (hello.rank <= rank_ || hello.rank >= static_cast<int>(fds_.size())) return false;
  if (names_[static_cast<size_t>(hello.rank)].empty()) return false;
  Connected(hello.rank, fd);
  return true;
}

void Liveness::Connected(int rank, int fd) {
  fds_[static_cast<size_t>(rank)] = fd;
  names_[static_cast<size_t>(rank)].clear();  // once and no more, also when it ends soon
  --missing_;
  Watch(fd, static_cast<uint64_t>(rank));
}

void Liveness::Watch(int fd, uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = key;
  CHECK_EQ(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), 0) << strerror(errno);
}

const std::vector<int>& Liveness::Poll() {
  ended_.clear();
  epoll_event events[16];
  int count = epoll_wait(epoll_, events, 16, 0);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 == kListener) {
      Accept();
      continue;
    }
    // After the hello nothing is ever sent, so any event is the end of the process.
    size_t rank = events[i].data.u64;
    close(fds_[rank]);
    fds_[rank] = -1;
    ended_.push_back(static_cast<int>(rank));
  }
  return ended_;
}

}  // namespace galley::comm
