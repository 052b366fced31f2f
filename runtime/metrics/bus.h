// Carries step records from the thread that receives them to the sinks, on a thread of its own. Push never
// waits: when a sink is so slow that `capacity` records wait, the oldest is dropped and counted.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/metrics/sink.h"
#include "runtime/metrics/step_record.h"

namespace galley::metrics {

class Bus {
 public:
  // Called on the bus's thread with the first error of a sink, and with ok when that sink works again.
  using OnError = std::function<void(const absl::Status&)>;

  explicit Bus(std::vector<std::unique_ptr<Sink>> sinks, OnError on_error = nullptr,
               size_t capacity = size_t{1} << 16);
  ~Bus();  // what was pushed is still written, and the sinks are flushed

  // `written` (may be null) is called once every sink has seen the record, on the bus's thread, or when the
  // record is dropped, on the pushing one.
  void Push(const StepRecord& record, std::function<void()> written = nullptr);
  void Rest();  // Sink::Rest of every sink, once all that was pushed before is written
  // `reached` is called on the bus's thread once all that was pushed before is with the sinks or dropped.
  void Mark(std::function<void()> reached);
  void Drain();  // waits until everything pushed so far has been written and flushed
  int64_t dropped() const;

 private:
  struct Item {
    std::optional<StepRecord> record;  // none: a mark
    std::function<void()> written;
    bool rest = false;
  };
  void Enqueue(Item item);
  void Loop();
  void WriteAll(const StepRecord& record);

  std::vector<std::unique_ptr<Sink>> sinks_;
  std::vector<bool> failing_;  // by sink; the thread's own
  const OnError on_error_;
  const size_t capacity_;
  mutable Mutex mutex_;
  CondVar pushed_, drained_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  int64_t pushed_count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t done_count_ ABSL_GUARDED_BY(mutex_) = 0;  // written or dropped
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace galley::metrics
