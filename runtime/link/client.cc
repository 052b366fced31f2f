#include "runtime/link/client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/link/frame.h"
#include "runtime/link/socket.h"

namespace galley::link {
namespace {

constexpr absl::Duration kMinHeartbeatGap = absl::Milliseconds(50);
constexpr size_t kOutBytes = 256 << 10;  // moved from the spool to the socket's buffer at a time

absl::Duration Now() { return Clock::Real().SinceStart(); }

class ClientImpl : public Client {
 public:
  ClientImpl(std::string path, v1::Hello hello, ClientOptions options)
      : path_(std::move(path)), options_(options), away_since_(Now()) {
    hello.set_pid(::getpid());
    std::random_device random;
    hello.set_session((uint64_t{random()} << 32) | random());
    v1::Report report;
    *report.mutable_hello() = std::move(hello);
    hello_ = EncodeFrame(FrameKind::kReport, 0, report.SerializeAsString());
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(wake_ >= 0);
    thread_ = std::thread([this] { Loop(); });
  }

  ~ClientImpl() override {
    {
      MutexLock lock(mutex_);
      stop_ = true;
    }
    Wake();
    thread_.join();
    ::close(wake_);
  }

  void Send(v1::Report report) override {
    CHECK(report.report_case() != v1::Report::REPORT_NOT_SET && !report.has_hello() &&
          !report.has_heartbeat());
    MutexLock lock(mutex_);
    if (report.has_ready()) {
      ready_ = EncodeFrame(FrameKind::kReport, 0, report.SerializeAsString());
      ready_due_ = true;
    } else {
      Spool(report);
    }
    Wake();
  }

  void SetProgress(v1::Phase::Value phase, int64_t step, int64_t item) override {
    MutexLock lock(mutex_);
    if (phase == progress_.phase() && step == progress_.step() && item == progress_.item()) return;
    progress_.set_phase(phase);
    progress_.set_step(step);
    progress_.set_item(item);
    // The thread needs waking only for the first change: it then knows when the next heartbeat is due.
    if (!std::exchange(progress_changed_, true)) Wake();
  }

  std::optional<v1::Order> Poll() override {
    MutexLock lock(mutex_);
    return TakeOrder();
  }

  std::optional<v1::Order> WaitOrder(absl::Duration timeout) override {
    MutexLock lock(mutex_);
    changed_.wait_for(lock, timeout,
                      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !orders_.empty(); });
    return TakeOrder();
  }

  bool Flush(absl::Duration timeout) override {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return spool_.empty() && dropped_ == 0;
    });
  }

  bool connected() const override {
    MutexLock lock(mutex_);
    return connected_;
  }

  absl::Duration away() const override {
    MutexLock lock(mutex_);
    return connected_ ? absl::ZeroDuration() : Now() - away_since_;
  }

 private:
  struct Entry {
    uint64_t sequence;
    std::string frame;
    bool droppable;
  };

  void Wake() {
    const uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof(one));
  }

  void Spool(const v1::Report& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Entry entry{next_sequence_, EncodeFrame(FrameKind::kReport, next_sequence_, report.SerializeAsString()),
                report.has_step()};
    ++next_sequence_;
    spool_bytes_ += entry.frame.size();
    spool_.push_back(std::move(entry));
    size_t at = 0;
    while (spool_bytes_ > options_.spool_bytes && at < spool_.size()) {
      if (!spool_[at].droppable) {
        ++at;
        continue;
      }
      spool_bytes_ -= spool_[at].frame.size();
      spool_.erase(spool_.begin() + static_cast<std::ptrdiff_t>(at));
      if (at < sent_) --sent_;
      ++dropped_;
    }
  }

  std::optional<v1::Order> TakeOrder() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (orders_.empty()) return std::nullopt;
    v1::Order order = std::move(orders_.front());
    orders_.pop_front();
    if (orders_.size() + 1 == options_.max_orders) Wake();  // the socket may be read again
    return order;
  }

  void TakeAck(uint64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!spool_.empty() && spool_.front().sequence <= sequence) {
      spool_bytes_ -= spool_.front().frame.size();
      spool_.pop_front();
      if (sent_ > 0) --sent_;
    }
    if (spool_.empty()) changed_.notify_all();
  }

  // Fills the socket's buffer with what is due. Gives the time until a heartbeat is due.
  absl::Duration FillOut(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(ready_due_, false)) out_ += ready_;
    absl::Duration gap = progress_changed_ ? kMinHeartbeatGap : options_.heartbeat;
    // Not while the socket is not taking bytes: queued heartbeats would be out of date, and would accumulate.
    if (now - last_heartbeat_ >= gap && out_.size() < kOutBytes) {
      v1::Report report;
      *report.mutable_heartbeat() = progress_;
      out_ += EncodeFrame(FrameKind::kReport, 0, report.SerializeAsString());
      last_heartbeat_ = now;
      progress_changed_ = false;
      gap = options_.heartbeat;
    }
    // Only once the spool has space again: the notice must not itself push out a step report.
    if (dropped_ > 0 && spool_bytes_ <= options_.spool_bytes / 2) {
      v1::Report report;
      report.mutable_notice()->set_kind(v1::NoticeKind::REPORTS_DROPPED);
      report.mutable_notice()->set_message(
          absl::StrCat(dropped_, " step reports were dropped: trainerd was disconnected and the spool of ",
                       options_.spool_bytes, " bytes was full"));
      dropped_ = 0;
      Spool(report);
    }
    while (sent_ < spool_.size() && out_.size() < kOutBytes) out_ += spool_[sent_++].frame;
    return out_.size() < kOutBytes ? last_heartbeat_ + gap - now : options_.heartbeat;
  }

  // False: the connection is of no more use.
  bool TakeFrames() {
    for (;;) {
      {
        MutexLock lock(mutex_);
        // Left in the socket, whose buffer then holds trainerd back.
        if (orders_.size() >= options_.max_orders) return true;
      }
      absl::StatusOr<std::optional<Frame>> frame = reader_.Next();
      if (!frame.ok()) {
        LogWarning(frame.status().message(), "; reconnecting");
        return false;
      }
      if (!frame->has_value()) return true;
      // Only a frame shows that trainerd is well: one that accepts and closes at once
      // must not be tried at full speed.
      retry_ = options_.first_retry;
      if ((*frame)->kind == FrameKind::kAck) {
        MutexLock lock(mutex_);
        TakeAck((*frame)->sequence);
      } else if ((*frame)->kind == FrameKind::kOrder) {
        if (!TakeOrderFrame(**frame)) return false;
      } else {
        LogWarning("link: trainerd sent a report; reconnecting");
        return false;
      }
    }
  }

  bool TakeOrderFrame(const Frame& frame) {
    v1::Order order;
    if (!order.ParseFromString(frame.payload)) {
      LogWarning("link: an order cannot be parsed; reconnecting");
      return false;
    }
    out_ += EncodeFrame(FrameKind::kAck, frame.sequence, "");
    // trainerd sends an order again when its acknowledgement was lost. The rank is started once.
    if (order.has_start() && std::exchange(started_, true)) return true;
    if (order.has_peers() && std::exchange(peers_, true)) return true;
    if (order.order_case() == v1::Order::ORDER_NOT_SET) return true;  // of a newer trainerd
    MutexLock lock(mutex_);
    orders_.push_back(std::move(order));
    changed_.notify_all();
    return true;
  }

  bool Stopping() const {
    MutexLock lock(mutex_);
    return stop_;
  }

  // Waits for the socket (if any), for Wake, or for `timeout`.
  short Wait(short events, absl::Duration timeout) {
    pollfd fds[2] = {{wake_, POLLIN, 0}, {fd_, events, 0}};
    const int millis = static_cast<int>(absl::ToInt64Milliseconds(
        std::clamp(absl::Ceil(timeout, absl::Milliseconds(1)), absl::ZeroDuration(), absl::Seconds(60))));
    const int n = ::poll(fds, fd_ >= 0 ? 2 : 1, millis);
    if (n > 0 && (fds[0].revents & POLLIN) != 0) {
      uint64_t count;
      (void)!::read(wake_, &count, sizeof(count));
    }
    return n > 0 && fd_ >= 0 ? fds[1].revents : short{0};
  }

  void Loop() {
    retry_ = options_.first_retry;
    while (!Stopping()) {
      absl::StatusOr<int> fd = ConnectUnix(path_);
      if (fd.ok()) {
        fd_ = *fd;
        Connected();
        ::close(std::exchange(fd_, -1));
        MutexLock lock(mutex_);
        connected_ = false;
        away_since_ = Now();
      }
      // Sends wake the poll too; they must not shorten the back-off to nothing.
      const absl::Duration until = Now() + retry_;
      for (absl::Duration now = Now(); now < until && !Stopping(); now = Now()) Wait(0, until - now);
      retry_ = std::min(retry_ * 2, options_.last_retry);
    }
  }

  // The lock is never held over a call on the socket: Send and SetProgress are the step loop's,
  // which must not wait for trainerd.
  void Connected() {
    {
      MutexLock lock(mutex_);
      connected_ = true;
      // From the oldest report that is not acknowledged; trainerd passes over those it has.
      out_ = hello_;
      sent_ = 0;
      ready_due_ = !ready_.empty();
      last_heartbeat_ = Now();
      progress_changed_ = progress_.phase() != v1::Phase::UNKNOWN;
    }
    reader_ = FrameReader();
    while (!Stopping()) {
      if (!TakeFrames()) return;
      absl::Duration next;
      bool full;
      {
        MutexLock lock(mutex_);
        next = FillOut(Now());
        full = orders_.size() >= options_.max_orders;
      }
      if (!WriteFrom(fd_, out_)) return;
      const short events = static_cast<short>((full ? 0 : POLLIN) | (out_.empty() ? 0 : POLLOUT));
      const bool more = out_.empty() && MoreToSend();
      const short got = Wait(events, more ? absl::ZeroDuration() : next);
      if ((got & POLLIN) != 0 && !full) {
        // What came before the end of the connection still counts.
        const bool alive = ReadInto(fd_, reader_);
        if (!alive) {
          TakeFrames();
          return;
        }
      } else if ((got & (POLLHUP | POLLERR)) != 0 && !full) {
        return;
      }
    }
  }

  bool MoreToSend() const {
    MutexLock lock(mutex_);
    return sent_ < spool_.size();
  }

  const std::string path_;
  const ClientOptions options_;
  std::string hello_;
  int wake_ = -1;

  mutable Mutex mutex_;
  CondVar changed_;  // an order came, or the spool is empty
  std::deque<Entry> spool_ ABSL_GUARDED_BY(mutex_);
  size_t spool_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t sent_ ABSL_GUARDED_BY(mutex_) = 0;  // the first so many of spool_ have been sent on this connection
  uint64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string ready_ ABSL_GUARDED_BY(mutex_);
  bool ready_due_ ABSL_GUARDED_BY(mutex_) = false;
  v1::Heartbeat progress_ ABSL_GUARDED_BY(mutex_);
  bool progress_changed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration last_heartbeat_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::Order> orders_ ABSL_GUARDED_BY(mutex_);
  bool connected_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration away_since_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;

  // The thread's own.
  int fd_ = -1;
  FrameReader reader_;
  std::string out_;
  absl::Duration retry_;
  bool started_ = false;
  bool peers_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Client> Client::Connect(std::string path, v1::Hello hello, ClientOptions options) {
  return std::make_unique<ClientImpl>(std::move(path), std::move(hello), options);
}

}  // namespace galley::link
