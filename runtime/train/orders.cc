#include "runtime/train/orders.h"

#include <utility>

#include "absl/time/time.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"

namespace galley::train {

Orders::Orders(link::Client& client, Hooks hooks) : client_(client), hooks_(std::move(hooks)) {
  thread_ = std::thread([this] { Watch(); });
}

Orders::~Orders() {
  closing_ = true;
  thread_.join();
}

void Orders::Watch() {
  // Nothing wakes WaitOrder but an order, so the destructor is noticed within this time.
  constexpr absl::Duration kPollInterval = absl::Milliseconds(50);
  while (!closing_) {
    if (auto order = client_.WaitOrder(kPollInterval); order.has_value()) Handle(*order);
  }
}

void Orders::Handle(const v1::Order& order) {
  switch (order.order_case()) {
    case v1::Order::kStop: {
      MutexLock lock(mutex_);
      stop_reason_ = order.stop().reason();
      // An order to stop without saving wins over an earlier one to save: it is the more urgent.
      stop_ = order.stop().save() && stop_ != kStopUnsaved ? kStopSaved : kStopUnsaved;
      return;
    }
    case v1::Order::kSave: {
      MutexLock lock(mutex_);
      if (!seen_saves_.insert(order.save().request_id()).second) return;
      open_saves_.push_back(order.save().request_id());
      ++saves_;
      return;
    }
    case v1::Order::kAbort: {
      {
        MutexLock lock(mutex_);
        abort_reason_ = order.abort().reason();
      }
      aborted_ = true;
      hooks_.abort(order.abort().reason());
      return;
    }
    case v1::Order::kShard:
      hooks_.shard(order.shard());
      return;
    default:
      LogWarning("ignored, an order that does not apply while training: ", order.ShortDebugString());
  }
}

std::string Orders::stop_reason() const {
  MutexLock lock(mutex_);
  return stop_reason_;
}

std::string Orders::abort_reason() const {
  MutexLock lock(mutex_);
  return abort_reason_;
}

std::vector<std::string> Orders::TakeSaveRequests() {
  MutexLock lock(mutex_);
  return std::exchange(open_saves_, {});
}

}  // namespace galley::train
