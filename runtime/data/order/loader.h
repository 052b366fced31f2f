// Reads samples ahead of the step loop, into a bounded ring, by threads of its own.
//
//   Loader::Create(plan, {.max_count = micro, .depth = 4, .threads = 1})
//   loader->Request(first, count);            // as far ahead as FreeSlots() allows
//   loader->Pop({tokens, labels});            // the oldest request
//
// After Create nothing is allocated, unless a read fails. One thread requests and pops.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/order.h"
#include "runtime/data/order/sample_reader.h"

namespace galley::data {

// A read that fails for a passing reason (a file server that is away) is tried again, each time after twice
// the wait, until it has failed for `total`. The first failure and the end of it are logged.
struct Retry {
  absl::Duration first = absl::Milliseconds(100);
  absl::Duration most = absl::Seconds(10);
  absl::Duration total = absl::Minutes(2);
};

struct LoaderOptions {
  SampleOptions samples = {};
  int64_t max_count = 1;  // samples in one request at most
  int depth = 4;          // requests in flight at most
  int threads = 1;
  Retry retry = {};
  absl::Duration slow = absl::Seconds(10);  // a Pop that waits so long says in the log what it waits for
};

// (count, T) each.
struct SampleSpans {
  std::span<int32_t> tokens;
  std::span<int32_t> labels;       // the tokens one position on; -1: none
  std::span<int32_t> starts = {};  // empty unless MaskOptions::starts
};

class Loader {
 public:
  // SampleReader::Open's errors.
  static absl::StatusOr<std::unique_ptr<Loader>> Create(const DataPlan& plan, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Asks for samples [first, first + count) of the split's order. REQUIRES: FreeSlots() > 0, count above 0
  // and at most max_count.
  void Request(int64_t first, int64_t count);
  int FreeSlots() const;  // requests that can still be made before the next Pop

  // Waits for the oldest request, of `count` samples, and copies it. An error
  // names file and offset (a read that failed, an id outside the vocabulary);
  // the loader then serves on, and the same request may be made again.
  absl::Status Pop(const SampleSpans& out);

  // Forgets what was requested and not popped (a jump back after recovery).
  void Clear();

  absl::Duration waited() const;  // time spent waiting in Pop since Create

  uint64_t SamplesHash(int64_t first, int64_t count) const;  // Order::SamplesHash of this split
  const Order& order() const;                                // of this split

 private:
  struct State;
  explicit Loader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace galley::data
