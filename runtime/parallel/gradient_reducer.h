// Sums the flat gradient buffer over the ranks of a data-parallel group while the backward pass is still
// writing it. Backward completes the buffer from its end to its beginning; the buffer is cut, from the end,
// into buckets of equal size, and a bucket that is wholly final is summed by a thread of the reducer.
//
//   reducer.Begin(stream);               // before the backward pass of the step's last micro-batch
//   ... backward: reducer.ReadyDownTo(offset) after each block ...
//   RETURN_IF_ERROR(reducer.Finish());   // work given to `stream` from now on sees the sums over ranks
//
// The sums run on a stream of the reducer's own: a stream belongs to one thread, and the backward pass
// is using the step's. Events order the two: a bucket's sum waits for the work that ReadyDownTo found on
// the step's stream, and after Finish the step's stream waits for the sums. So neither stream's work
// need be over when a call returns.
//
// Buckets and their order depend on the buffer's and the buckets' size only, so the bits are the same in
// every run with the same ranks. Between Begin and Finish nobody else may use the group, but other
// groups of its connection may be used; outside it is the caller's. Nothing is allocated after construction.
// With a group of one nothing happens and there is no thread.
//
// Threads: Begin, ReadyDownTo and Finish are called by one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/comm/group.h"
#include "runtime/tensor/stream.h"
#include "runtime/tensor/view.h"

namespace galley::parallel {

class GradientReducer {
 public:
  // flat: (elements), f32, contiguous, of `device`; it and the group outlive the reducer. bucket_bytes is
  // rounded up to a whole number of cache lines.
  GradientReducer(comm::Group* group, View flat, int64_t bucket_bytes, const Device& device = {});
  // In the middle of a step (after Begin, before Finish) it aborts the group.
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  // stream: what the backward pass runs on, of the same device; used until Finish returns.
  void Begin(Stream& stream);
  // Every element at or above `offset` has its final value after the work given to the stream so far. Offsets
  // may come in any order; the lowest counts.
  void ReadyDownTo(int64_t offset);
  // All elements are final. Waits until every sum is done or on its stream; returns the first error of the
  // group, after which the buffer's contents are undefined.
  absl::Status Finish();

  int64_t buckets() const { return buckets_; }

 private:
  void Loop();
  void HandOver(uint32_t buckets_final);
  View Bucket(int64_t index) const;  // 0 is the buffer's end

  comm::Group* const group_;
  const View flat_;
  int64_t bucket_elements_;
  int64_t buckets_ = 0;

  Stream* step_stream_ = nullptr;  // null outside of Begin and Finish
  uint32_t step_base_ = 0;         // buckets handed over in earlier steps

  // Counts of buckets since construction; they may wrap around, only differences matter.
  std::atomic<uint32_t> handed_{0};
  std::atomic<uint32_t> done_{0};
  std::atomic<bool> stop_{false};
  // By bucket: on the step's stream, behind the work that made it final. Each is recorded before handed_
  // passes it and read after.
  std::vector<Event> final_;
  // Written by the thread before done_, read after it.
  absl::Status status_;
  Event summed_;  // on stream_
  Stream stream_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace galley::parallel
