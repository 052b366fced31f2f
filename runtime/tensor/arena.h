// Memory is planned, then bound. The same code runs twice on an Arena: once to measure (no base: views hold
// null), once with a buffer of the measured size. Nothing is freed one by one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/tensor/device.h"
#include "runtime/tensor/view.h"

namespace galley {

// Zero-filled memory of a device, aligned to 2 MiB. Movable.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Device& device, int64_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();
  std::byte* data() const { return data_; }  // for host code only where the device is the CPU
  int64_t size() const { return size_; }

 private:
  DeviceMemory* memory_ = nullptr;
  std::byte* data_ = nullptr;
  int64_t size_ = 0;
};

class Arena {
 public:
  Arena() = default;              // measures
  explicit Arena(Buffer buffer);  // binds
  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;

  bool measuring() const { return buffer_.data() == nullptr; }
  // A contiguous view at a 64-byte boundary. CHECKs that a bound arena has enough left.
  View Take(DType dtype, Shape shape);
  int64_t used() const { return used_; }

  // A mark to go back to, for scratch whose life ends: Take after Release reuses the
  // bytes; peak() remembers the most.
  int64_t Mark() const { return used_; }
  void Release(int64_t mark);
  // Takes again all below a mark of before a Release: its tensors stay and what comes now lies behind them.
  void Retake(int64_t mark);
  int64_t peak() const { return peak_; }

 private:
  Buffer buffer_;
  int64_t used_ = 0;
  int64_t peak_ = 0;
};

}  // namespace galley
