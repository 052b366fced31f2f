#include "service/node/uplink.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "galley/v1/node.grpc.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/base/token_file.h"

namespace galley::service {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(50);
constexpr absl::Duration kLastRetry = absl::Seconds(2);
constexpr int kMaxMessage = 64 << 20;

// Names are not looked up: a name that means this machine by chance today is no promise.
bool OnThisMachine(absl::string_view address) {
  for (absl::string_view prefix : {"unix:", "127.", "localhost:", "[::1]:"}) {
    if (absl::StartsWith(address, prefix)) return true;
  }
  return false;
}

// What the stream's reactor, on gRPC's threads, and the uplink, on the loop, share. Both own it: a reactor
// may still be called while the uplink is being destroyed.
struct Shared {
  // Called on the loop alone, with the stream's number.
  std::function<void(uint64_t, v1::NodeOrder)> order;
  std::function<void(uint64_t, std::string)> ended;
  Mutex mutex;
  CondVar done_changed;
  EventLoop* loop ABSL_GUARDED_BY(mutex) = nullptr;  // null: the uplink is gone
  int alive ABSL_GUARDED_BY(mutex) = 0;              // reactors not yet done
};

// How to reach the controller.
struct Dial {
  std::string address;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string token;  // empty: none
};

class Stream : public grpc::ClientBidiReactor<v1::NodeReport, v1::NodeOrder> {
 public:
  Stream(std::shared_ptr<Shared> shared, const Dial& dial, uint64_t number)
      : shared_(std::move(shared)), number_(number) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessage);
    arguments.SetMaxSendMessageSize(kMaxMessage);
    // Each stream dials anew: the back-off is ours, not the channel's.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::Nodes::NewStub(grpc::CreateCustomChannel(dial.address, dial.credentials, arguments));
    if (!dial.token.empty()) context_.AddMetadata("authorization", "Bearer " + dial.token);
  }

  // `self` is this: the call owns its reactor until OnDone, the uplink until it hears of that.
  void Begin(std::shared_ptr<Stream> self) {
    self_ = std::move(self);
    {
      const MutexLock lock(shared_->mutex);
      ++shared_->alive;
    }
    stub_->async()->Attach(&context_, this);
    AddHold();  // Write may come from the loop, outside of any callback
    StartRead(&order_);
    StartCall();
  }

  void Write(const v1::NodeReport& report) {
    const MutexLock lock(mutex_);
    if (closing_) return;
    queue_.push_back(report);
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  size_t queued() {
    const MutexLock lock(mutex_);
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
      const MutexLock lock(shared_->mutex);
      if (shared_->loop != nullptr) {
        shared_->loop->Post(
            [shared = shared_, number = number_, order = order_] { shared->order(number, order); });
      }
    }
    StartRead(&order_);
  }

  void OnWriteDone(bool ok) override {
    const MutexLock lock(mutex_);
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
    const MutexLock lock(shared->mutex);
    if (shared->loop != nullptr) {
      shared->loop->Post([shared, number, why] { shared->ended(number, why); });
    }
    --shared->alive;
    shared->done_changed.notify_all();
  }

 private:
  // Lets the call end. Once, whoever comes first.
  void Release() {
    const MutexLock lock(mutex_);
    if (std::exchange(closing_, true)) return;
    RemoveHold();
  }

  const std::shared_ptr<Shared> shared_;
  const uint64_t number_;
  std::shared_ptr<Stream> self_;
  std::unique_ptr<v1::Nodes::Stub> stub_;
  grpc::ClientContext context_;
  v1::NodeOrder order_;
  Mutex mutex_;
  std::deque<v1::NodeReport> queue_ ABSL_GUARDED_BY(mutex_);  // the front one is being written
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
};

class UplinkImpl : public Uplink {
 public:
  UplinkImpl(EventLoop& loop, Dial dial, Callbacks callbacks)
      : loop_(loop),
        dial_(std::move(dial)),
        callbacks_(std::move(callbacks)),
        shared_(std::make_shared<Shared>()),
        lost_at_(Clock::Real().SinceStart()) {
    ::grpc_init();  // held between streams too: gRPC would stop and start all its threads for each
    {
      const MutexLock lock(shared_->mutex);
      shared_->loop = &loop_;
    }
    shared_->order = [this](uint64_t number, const v1::NodeOrder& order) { OnOrder(number, order); };
    shared_->ended = [this](uint64_t number, const std::string& why) { OnEnded(number, why); };
    retry_timer_ = loop_.After(absl::ZeroDuration(), [this] { Open(); });
  }

  ~UplinkImpl() override {
    loop_.Cancel(retry_timer_);
    {
      const MutexLock lock(shared_->mutex);
      shared_->loop = nullptr;
    }
    if (stream_ != nullptr) stream_->Close();
    {
      MutexLock lock(shared_->mutex);
      shared_->done_changed.wait(
          lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared_->mutex) { return shared_->alive == 0; });
    }
    // Orders posted before are dropped with the loop or find these gone.
    shared_->order = [](uint64_t, const v1::NodeOrder&) {};
    shared_->ended = [](uint64_t, const std::string&) {};
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
    stream_ = std::make_shared<Stream>(shared_, dial_, ++number_);
    stream_->Begin(stream_);
    callbacks_.opened();
  }

  void OnOrder(uint64_t number, const v1::NodeOrder& order) {
    if (stream_ == nullptr || number != number_) return;
    if (!std::exchange(heard_, true)) LogInfo("attached to the controller at ", dial_.address);
    refusal_.clear();
    retry_ = kFirstRetry;
    callbacks_.order(order);
  }

  void OnEnded(uint64_t number, const std::string& why) {
    if (stream_ == nullptr || number != number_) return;
    stream_ = nullptr;
    if (std::exchange(heard_, false)) {
      LogWarning("the controller at ", dial_.address, " is gone (", why, "); ranks go on, reports are kept");
      lost_at_ = Clock::Real().SinceStart();
    } else if (why != refusal_) {  // said once, not at every try
      LogWarning("not attached to the controller at ", dial_.address, ", tries again: ", why);
      refusal_ = why;
    }
    callbacks_.closed();
    // Spread, so that a restarted controller does not meet all its nodes at once.
    retry_timer_ = loop_.After(retry_ * absl::Uniform(random_, 0.5, 1.0), [this] { Open(); });
    retry_ = std::min(retry_ * 2, kLastRetry);
  }

  EventLoop& loop_;
  const Dial dial_;
  const Callbacks callbacks_;
  const std::shared_ptr<Shared> shared_;
  std::shared_ptr<Stream> stream_;
  uint64_t number_ = 0;
  absl::Duration retry_ = kFirstRetry;
  EventLoop::Timer retry_timer_ = 0;
  bool heard_ = false;
  std::string refusal_;  // why the last try came to nothing, as logged
  absl::Duration lost_at_;
  absl::BitGen random_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Uplink>> Uplink::Connect(EventLoop& loop, const Target& target,
                                                        Callbacks callbacks) {
  if (!OnThisMachine(target.address) && (target.tls_ca.empty() || target.token_file.empty())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--controller ", target.address, ": a controller on another machine needs TLS and a token; give ",
        "--tls-ca and --token-file"));
  }
  Dial dial{.address = target.address, .credentials = grpc::InsecureChannelCredentials(), .token = ""};
  if (!target.token_file.empty()) {
    ASSIGN_OR_RETURN(dial.token, ReadTokenFile(target.token_file));
  }
  if (!target.tls_ca.empty()) {
    grpc::SslCredentialsOptions ssl;
    ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadFile(target.tls_ca));
    dial.credentials = grpc::SslCredentials(ssl);
  }
  return std::make_unique<UplinkImpl>(loop, std::move(dial), std::move(callbacks));
}

}  // namespace galley::service
