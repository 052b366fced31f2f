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
  if (group_->size() > 1) thread_ = std::thread([this] { Loop(); });
}

GradientReducer::~GradientReducer() {
  if (!thread_.joinable()) return;
  if (open_) group_->Abort("the gradient reducer was destroyed in the middle of a step");
  stop_.store(true, std::memory_order_release);
  handed_.fetch_add(1, std::memory_order_release);
  handed_.notify_one();
  thread_.join();
}

void GradientReducer::Begin() {
  CHECK(!open_) << "Begin comes twice without Finish";
  open_ = true;
}

void GradientReducer::ReadyDownTo(int64_t offset) {
  CHECK(open_) << "ReadyDownTo comes between Begin and Finish";
  CHECK_GE(offset, 0);
  const int64_t final_elements = std::max<int64_t>(flat_.elements() - offset, 0);
  // The last bucket is shorter than the others, so it is final only when everything is.
  HandOver(static_cast<uint32_t>(final_elements == flat_.elements() ? buckets_
                                                                    : final_elements / bucket_elements_));
}

absl::Status GradientReducer::Finish() {
  CHECK(open_) << "Finish comes after Begin";
  if (thread_.joinable()) {
    HandOver(static_cast<uint32_t>(buckets_));
    step_base_ += static_cast<uint32_t>(buckets_);
    for (uint32_t done; (done = done_.load(std::memory_order_acquire)) != step_base_;) {
      done_.wait(done, std::memory_order_acquire);
    }
  }
  open_ = false;
  return status_;
}

void GradientReducer::HandOver(uint32_t buckets_final) {
  if (!thread_.joinable()) return;
  if (buckets_final <= handed_.load(std::memory_order_relaxed) - step_base_) return;
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
    if (status_.ok()) status_ = group_->AllReduceSum(stream_, Bucket(bucket));
    bucket = bucket + 1 == buckets_ ? 0 : bucket + 1;
    done_.store(++next, std::memory_order_release);
    done_.notify_one();
  }
}

}  // namespace galley::parallel
