#include "service/node/uplink.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "galley/v1/node.grpc.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"

namespace galley::service {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(50);
constexpr absl::Duration kLastRetry = absl::Seconds(2);
constexpr int kMaxMessage = 64 << 20;

// What the stream's reactor, on gRPC's threads, and the uplink, on the loop, share. Both own it: a reactor
// may still be called while the uplink is being destroyed.
struct Shared {
  std::mutex mutex;
  std::condition_variable done_changed;
  EventLoop* loop = nullptr;                           // null: the uplink is gone
  std::function<void(uint64_t, v1::NodeOrder)> order;  // with the stream's number
  std::function<void(uint64_t, std::string)> ended;
  int alive = 0;  // reactors not yet done
};

class Stream : public grpc::ClientBidiReactor<v1::NodeReport, v1::NodeOrder> {
 public:
  Stream(std::shared_ptr<Shared> shared, const std::string& address, uint64_t number)
      : shared_(std::move(shared)), number_(number) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessage);
    arguments.SetMaxSendMessageSize(kMaxMessage);
    // Each stream dials anew: the back-off is ours, not the channel's.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ =
        v1::Nodes::NewStub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }

  // `self` is this: the call owns its reactor until OnDone, the uplink until it hears of that.
  void Begin(std::shared_ptr<Stream> self) {
    self_ = std::move(self);
    {
      std::lock_guard lock(shared_->mutex);
      ++shared_->alive;
    }
    stub_->async()->Attach(&context_, this);
    AddHold();  // Write may come from the loop, outside of any callback
    StartRead(&order_);
    StartCall();
  }

  void Write(const v1::NodeReport& report) {
    std::lock_guard lock(mutex_);
    if (closing_) return;
    queue_.push_back(report);
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  size_t queued() {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }

  void Close() {
    context_.TryCancel();
    Release();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Release();
      return;
    }
    {
      std::lock_guard lock(shared_->mutex);
      if (shared_->loop != nullptr) {
        shared_->loop->Post(
            [shared = shared_, number = number_, order = order_] { shared->order(number, order); });
      }
    }
    StartRead(&order_);
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    queue_.pop_front();
    if (!ok || closing_) {
      queue_.clear();
      return;
    }
    if (!queue_.empty()) StartWrite(&queue_.front());
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<Shared> shared = shared_;
    const uint64_t number = number_;
    const std::string why = status.ok() ? "the controller ended the stream" : status.error_message();
    // Not the last reference: the uplink holds another until it hears of this, so channel and context always
    // end on the loop's thread. A channel that ends on one of gRPC's own can bring the library down with it.
    self_.reset();
    std::lock_guard lock(shared->mutex);
    if (shared->loop != nullptr) {
      shared->loop->Post([shared, number, why] { shared->ended(number, why); });
    }
    --shared->alive;
    shared->done_changed.notify_all();
  }

 private:
  // Lets the call end. Once, whoever comes first.
  void Release() {
    std::lock_guard lock(mutex_);
    if (std::exchange(closing_, true)) return;
    RemoveHold();
  }

  const std::shared_ptr<Shared> shared_;
  const uint64_t number_;
  std::shared_ptr<Stream> self_;
  std::unique_ptr<v1::Nodes::Stub> stub_;
  grpc::ClientContext context_;
  v1::NodeOrder order_;
  std::mutex mutex_;
  std::deque<v1::NodeReport> queue_;  // the front one is being written. Guarded by mutex_
  bool closing_ = false;              // guarded by mutex_
};

class UplinkImpl : public Uplink {
 public:
  UplinkImpl(EventLoop& loop, std::string address, Callbacks callbacks)
      : loop_(loop),
        address_(std::move(address)),
        callbacks_(std::move(callbacks)),
        shared_(std::make_shared<Shared>()),
        lost_at_(Clock::Real().SinceStart()) {
    ::grpc_init();  // held between streams too: gRPC would stop and start all its threads for each
    shared_->loop = &loop_;
    shared_->order = [this](uint64_t number, const v1::NodeOrder& order) { OnOrder(number, order); };
    shared_->ended = [this](uint64_t number, const std::string& why) { OnEnded(number, why); };
    retry_timer_ = loop_.After(absl::ZeroDuration(), [this] { Open(); });
  }

  ~UplinkImpl() override {
    loop_.Cancel(retry_timer_);
    {
      std::lock_guard lock(shared_->mutex);
      shared_->loop = nullptr;
    }
    if (stream_ != nullptr) stream_->Close();
    std::unique_lock lock(shared_->mutex);
    shared_->done_changed.wait(lock, [&] { return shared_->alive == 0; });
    // Orders posted before are dropped with the loop or find these gone.
    shared_->order = [](uint64_t, const v1::NodeOrder&) {};
    shared_->ended = [](uint64_t, const std::string&) {};
    lock.unlock();
    stream_.reset();
    ::grpc_shutdown();
  }

  void Send(const v1::NodeReport& report) override {
    if (stream_ != nullptr) stream_->Write(report);
  }
  size_t queued() const override { return stream_ == nullptr ? 0 : stream_->queued(); }
  bool open() const override { return stream_ != nullptr; }
  absl::Duration away() const override {
    return heard_ ? absl::ZeroDuration() : Clock::Real().SinceStart() - lost_at_;
  }

 private:
  void Open() {
    stream_ = std::make_shared<Stream>(shared_, address_, ++number_);
    stream_->Begin(stream_);
    callbacks_.opened();
  }

  void OnOrder(uint64_t number, const v1::NodeOrder& order) {
    if (stream_ == nullptr || number != number_) return;
    if (!std::exchange(heard_, true)) LogInfo("attached to the controller at ", address_);
    retry_ = kFirstRetry;
    callbacks_.order(order);
  }

  void OnEnded(uint64_t number, const std::string& why) {
    if (stream_ == nullptr || number != number_) return;
    stream_ = nullptr;
    if (std::exchange(heard_, false)) {
      LogWarning("the controller at ", address_, " is gone (", why, "); ranks go on, reports are kept");
      lost_at_ = Clock::Real().SinceStart();
    }
    callbacks_.closed();
    // Spread, so that a restarted controller does not meet all its nodes at once.
    retry_timer_ = loop_.After(retry_ * absl::Uniform(random_, 0.5, 1.0), [this] { Open(); });
    retry_ = std::min(retry_ * 2, kLastRetry);
  }

  EventLoop& loop_;
  const std::string address_;
  const Callbacks callbacks_;
  const std::shared_ptr<Shared> shared_;
  std::shared_ptr<Stream> stream_;
  uint64_t number_ = 0;
  absl::Duration retry_ = kFirstRetry;
  EventLoop::Timer retry_timer_ = 0;
  bool heard_ = false;
  absl::Duration lost_at_;
  absl::BitGen random_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Uplink>> Uplink::Connect(EventLoop& loop, const std::string& address,
                                                        Callbacks callbacks) {
  if (!absl::StartsWith(address, "unix:") && !absl::StartsWith(address, "127.") &&
      !absl::StartsWith(address, "localhost:")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--controller ", address,
        ": give unix:PATH or a loopback host:port; connections between machines need TLS, which is "
        "not built in this version"));
  }
  return std::make_unique<UplinkImpl>(loop, address, std::move(callbacks));
}

}  // namespace galley::service
