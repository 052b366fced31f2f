#include "runtime/metrics/bus.h"

#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/mutex.h"

namespace galley::metrics {

Bus::Bus(std::vector<std::unique_ptr<Sink>> sinks, OnError on_error, size_t capacity)
    : sinks_(std::move(sinks)),
      failing_(sinks_.size()),
      on_error_(std::move(on_error)),
      capacity_(capacity),
      thread_([this] { Loop(); }) {
  CHECK(capacity_ > 0);
}

Bus::~Bus() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  pushed_.notify_all();
  thread_.join();
}

void Bus::Push(const StepRecord& record, std::function<void()> written) {
  Enqueue({record, std::move(written), false});
}

void Bus::Mark(std::function<void()> reached) { Enqueue({std::nullopt, std::move(reached), false}); }

void Bus::Rest() { Enqueue({std::nullopt, nullptr, true}); }

void Bus::Enqueue(Item item) {
  std::function<void()> oldest;
  {
    MutexLock lock(mutex_);
    if (queue_.size() >= capacity_) {
      oldest = std::move(queue_.front().written);
      if (queue_.front().record.has_value()) ++dropped_;
      queue_.pop_front();
      ++done_count_;
    }
    queue_.push_back(std::move(item));
    ++pushed_count_;
  }
  pushed_.notify_all();
  if (oldest) oldest();
}

void Bus::Drain() {
  MutexLock lock(mutex_);
  const int64_t target = pushed_count_;
  drained_.wait(lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return done_count_ >= target; });
}

int64_t Bus::dropped() const {
  MutexLock lock(mutex_);
  return dropped_;
}

void Bus::WriteAll(const StepRecord& record) {
  for (size_t i = 0; i < sinks_.size(); ++i) {
    absl::Status status = sinks_[i]->Write(record);
    if (status.ok() != failing_[i]) continue;
    failing_[i] = !status.ok();
    if (on_error_) on_error_(status);
  }
}

void Bus::Loop() {
  MutexLock lock(mutex_);
  for (;;) {
    pushed_.wait(lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_ || !queue_.empty(); });
    if (queue_.empty()) break;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    const bool last = queue_.empty();
    lock.unlock();
    if (item.record.has_value()) WriteAll(*item.record);
    if (last) {
      for (auto& sink : sinks_) (void)sink->Flush();
    }
    if (item.rest) {
      for (auto& sink : sinks_) sink->Rest();
    }
    if (item.written) item.written();
    lock.lock();
    ++done_count_;
    drained_.notify_all();
  }
}

}  // namespace galley::metrics
