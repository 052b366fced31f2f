#include "runtime/parallel/gradient_reducer.h"

#include <pthread.h>

#include <algorithm>

#include "runtime/base/check.h"

namespace galley::parallel {

namespace {
constexpr int64_t kLineElements = 64 / sizeof(float);
}  // namespace

GradientReducer::GradientReducer(comm::Group* group, View flat, int64_t bucket_bytes, const Device& device)
    : group_(group), flat_(flat), stream_(MakeStream(device, 1)) {
  CHECK(flat.dtype == DType::kF32 && flat.contiguous()) << "gradients are one contiguous f32 buffer";
  CHECK_GT(bucket_bytes, 0);
  const int64_t elements = (bucket_bytes + int64_t{sizeof(float)} - 1) / int64_t{sizeof(float)};
  bucket_elements_ = (elements + kLineElements - 1) / kLineElements * kLineElements;
  buckets_ = (flat.elements() + bucket_elements_ - 1) / bucket_elements_;
  final_.resize(static_cast<size_t>(buckets_));
  if (group_->size() > 1) thread_ = std::thread([this] { Loop(); });
}

GradientReducer::~GradientReducer() {
  if (!thread_.joinable()) return;
  if (step_stream_ != nullptr) group_->Abort("the gradient reducer was destroyed in the middle of a step");
  // The thread sleeps on handed_, so stop_ must be there when a change of handed_ wakes it.
  stop_.store(true, std::memory_order_release);
  handed_.fetch_add(1, std::memory_order_release);
  handed_.notify_one();
  thread_.join();
}

void GradientReducer::Begin(Stream& stream) {
  CHECK(step_stream_ == nullptr) << "Begin comes twice without Finish";
  step_stream_ = &stream;
}

void GradientReducer::ReadyDownTo(int64_t offset) {
  CHECK(step_stream_ != nullptr) << "ReadyDownTo comes between Begin and Finish";
  CHECK_GE(offset, 0);
  const int64_t final_elements = std::max<int64_t>(flat_.elements() - offset, 0);
  // The last bucket is shorter than the others, so it is final only when everything is.
  HandOver(static_cast<uint32_t>(final_elements == flat_.elements() ? buckets_
                                                                    : final_elements / bucket_elements_));
}

absl::Status GradientReducer::Finish() {
  CHECK(step_stream_ != nullptr) << "Finish comes after Begin";
  if (thread_.joinable()) {
    HandOver(static_cast<uint32_t>(buckets_));
    step_base_ += static_cast<uint32_t>(buckets_);
    for (uint32_t done; (done = done_.load(std::memory_order_acquire)) != step_base_;) {
      done_.wait(done, std::memory_order_acquire);
    }
    summed_.Wait(*step_stream_);
  }
  step_stream_ = nullptr;
  return status_;
}

void GradientReducer::HandOver(uint32_t buckets_final) {
  if (!thread_.joinable()) return;
  // Relaxed: only this thread changes handed_ while the reducer lives.
  const uint32_t handed = handed_.load(std::memory_order_relaxed) - step_base_;
  if (buckets_final <= handed) return;
  for (uint32_t b = handed; b < buckets_final; ++b) final_[b].Record(*step_stream_);
  // Release: the thread that acquires this count sees the events, and on a CPU the gradients themselves.
  handed_.store(step_base_ + buckets_final, std::memory_order_release);
  handed_.notify_one();
}

View GradientReducer::Bucket(int64_t index) const {
  const int64_t end = flat_.elements() - index * bucket_elements_;
  const int64_t begin = std::max<int64_t>(end - bucket_elements_, 0);
  return View(static_cast<float*>(flat_.data) + begin, DType::kF32, Shape{end - begin});
}

void GradientReducer::Loop() {
  pthread_setname_np(pthread_self(), "galley-reduce");
  uint32_t next = 0;
  int64_t bucket = 0;
  while (true) {
    handed_.wait(next, std::memory_order_acquire);
    if (stop_.load(std::memory_order_acquire)) return;
    if (handed_.load(std::memory_order_acquire) == next) continue;
    final_[static_cast<size_t>(bucket)].Wait(stream_);
    // After an error the buckets are only counted through: Finish waits for all of them.
    if (status_.ok()) status_ = group_->AllReduceSum(stream_, Bucket(bucket));
    summed_.Record(stream_);
    bucket = bucket + 1 == buckets_ ? 0 : bucket + 1;
    done_.store(++next, std::memory_order_release);
    done_.notify_one();
  }
}

}  // namespace galley::parallel
