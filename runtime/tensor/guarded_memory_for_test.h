// For tests: the memory of a device that the host cannot touch, as a GPU's is, although CPU kernels run on
// it. Its pages are closed (PROT_NONE) but while an op, a collective or a Copy has them open: any other read
// or write of the host faults. Ops must be given its memory and no other. What is copied to the host arrives
// when an Event is waited for, not before.
#pragma once

#include <sys/mman.h>

#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/tensor/device.h"

namespace galley {

class GuardedMemory : public DeviceMemory {
 public:
  std::byte* Allocate(int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const size_t size = (static_cast<size_t>(bytes) + kAlign) / kAlign * kAlign;  // one page at least
    void* whole =
        ::mmap(nullptr, size + kAlign, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(whole != MAP_FAILED);
    const auto at = (reinterpret_cast<uintptr_t>(whole) + kAlign - 1) / kAlign * kAlign;
    blocks_.push_back({whole, reinterpret_cast<std::byte*>(at), size});
    if (users_ > 0) Protect(blocks_.back(), PROT_READ | PROT_WRITE);  // scratch that grows within an op
    return blocks_.back().data;
  }

  void Free(std::byte* data, int64_t) override {
    const std::lock_guard lock(mutex_);
    for (auto it = blocks_.begin(); it != blocks_.end(); ++it) {
      if (it->data != data) continue;
      CHECK_EQ(::munmap(it->whole, it->size + kAlign), 0);
      blocks_.erase(it);
      return;
    }
    CHECK(false) << "no block begins here";
  }

  void Open(std::initializer_list<const void*> operands) override {
    const std::lock_guard lock(mutex_);
    for (const void* operand : operands)
      CHECK(operand == nullptr || Holds(operand)) << "an operand in host memory";
    if (users_++ > 0) return;
    for (const Block& block : blocks_) Protect(block, PROT_READ | PROT_WRITE);
  }

  void Close() override {
    const std::lock_guard lock(mutex_);
    if (--users_ > 0) return;
    for (const Block& block : blocks_) Protect(block, PROT_NONE);
  }

  void Copy(const void* from, void* to, int64_t bytes) override {
    if (bytes == 0) return;
    Open({});
    {
      const std::lock_guard lock(mutex_);
      CHECK(Holds(from) || Holds(to)) << "neither end is the device's";
      if (Holds(to)) {
        std::memcpy(to, from, static_cast<size_t>(bytes));
      } else {
        late_.emplace_back(to, std::string(static_cast<const char*>(from), static_cast<size_t>(bytes)));
        std::memset(to, 0xff, static_cast<size_t>(bytes));  // NaN, or -1
      }
    }
    Close();
  }

  void Finish() override {
    const std::lock_guard lock(mutex_);
    for (const auto& [to, bytes] : late_) std::memcpy(to, bytes.data(), bytes.size());
    late_.clear();
  }

  bool Holds(const void* at) const {
    const auto* byte = static_cast<const std::byte*>(at);
    for (const Block& b : blocks_) {
      if (byte >= b.data && byte < b.data + b.size) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kAlign = size_t{2} << 20;
  struct Block {
    void* whole;
    std::byte* data;
    size_t size;
  };
  static void Protect(const Block& block, int how) { CHECK_EQ(::mprotect(block.data, block.size, how), 0); }

  std::mutex mutex_;
  std::vector<Block> blocks_;
  std::vector<std::pair<void*, std::string>> late_;  // host targets and what they will hold
  int users_ = 0;
};

}  // namespace galley
