#include "runtime/tensor/arena.h"

#include <algorithm>
#include <utility>

namespace galley {
namespace {

constexpr int64_t kAlign = 64;

}  // namespace

Buffer::Buffer(const Device& device, int64_t bytes)
    : memory_(device.memory), data_(memory_->Allocate(bytes)), size_(bytes) {}

Buffer::Buffer(Buffer&& other) noexcept
    : memory_(other.memory_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) memory_->Free(data_, size_);
}

Arena::Arena(Buffer buffer) : buffer_(std::move(buffer)) { CHECK(buffer_.data() != nullptr); }

View Arena::Take(DType dtype, Shape shape) {
  int64_t bytes = (shape.elements() * SizeOf(dtype) + kAlign - 1) / kAlign * kAlign;
  void* data = nullptr;
  if (!measuring()) {
    CHECK_LE(used_ + bytes, buffer_.size()) << "the binding pass took more than the measuring pass";
    data = buffer_.data() + used_;
  }
  used_ += bytes;
  peak_ = std::max(peak_, used_);
  return View(data, dtype, shape);
}

void Arena::Release(int64_t mark) {
  CHECK(mark >= 0 && mark <= used_);
  used_ = mark;
}

void Arena::Retake(int64_t mark) {
  CHECK(mark >= used_ && mark <= peak_);
  used_ = mark;
}

}  // namespace galley
