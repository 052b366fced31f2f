// A server stream whose messages may be pushed from any thread: a queue, as gRPC takes one write at a time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <utility>

#include "runtime/base/mutex.h"

namespace galley::service {

// Deletes itself in OnDone, after `on_done`.
template <class Message>
class PushStream : public grpc::ServerWriteReactor<Message> {
 public:
  // More unsent messages than this and droppable ones are dropped: a slow reader never holds up the rest.
  static constexpr size_t kMostQueued = 4096;

  void Push(Message message, bool droppable = false) {
    MutexLock lock(mutex_);
    if (ended_ || (droppable && queue_.size() >= kMostQueued)) return;
    queue_.push_back(std::move(message));
    Pump();
  }
  void End(grpc::Status status) {
    MutexLock lock(mutex_);
    if (ended_) return;
    ended_ = true;
    status_ = std::move(status);
    Pump();
  }
  void set_on_done(std::function<void()> on_done) { on_done_ = std::move(on_done); }
  bool ended() {
    MutexLock lock(mutex_);
    return ended_;
  }
  size_t queued() {
    MutexLock lock(mutex_);
    return queue_.size();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (!ok) {
      ended_ = true;
      status_ = grpc::Status(grpc::StatusCode::CANCELLED, "the reader is gone");
      queue_.clear();
    }
    Pump();
  }
  void OnCancel() override {
    MutexLock lock(mutex_);
    ended_ = true;
    status_ = grpc::Status::CANCELLED;
    if (!writing_) queue_.clear();
    if (queue_.size() > 1) queue_.resize(1);
    Pump();
  }
  void OnDone() override {
    if (on_done_) on_done_();
    delete this;
  }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      writing_ = true;
      this->StartWrite(&queue_.front());
    } else if (ended_) {
      finished_ = true;
      this->Finish(status_);
    }
  }

  Mutex mutex_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_done_;
};

}  // namespace galley::service
