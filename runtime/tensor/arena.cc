#include "runtime/tensor/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace galley {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kAlign = 64;

}  // namespace

Buffer::Buffer(int64_t bytes) : size_(bytes) {
  size_t rounded = static_cast<size_t>((std::max<int64_t>(bytes, 1) + kHugePage - 1) / kHugePage * kHugePage);
  data_ = static_cast<std::byte*>(std::aligned_alloc(kHugePage, rounded));
  CHECK(data_ != nullptr) << "out of memory for " << bytes << " bytes";
  ::madvise(data_, rounded, MADV_HUGEPAGE);
  std::memset(data_, 0, rounded);
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Buffer::~Buffer() { std::free(data_); }

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

}  // namespace galley
