// For tests: the memory of a device whose copies take effect only when an Event is waited for, as work on an
// asynchronous stream may. What reads or writes it without that wait sees what was there before.
#pragma once

#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/tensor/device.h"

namespace galley {

class LateMemory : public DeviceMemory {
 public:
  std::byte* Allocate(int64_t bytes) override { return HostMemory().Allocate(bytes); }
  void Free(std::byte* data, int64_t bytes) override { HostMemory().Free(data, bytes); }
  void Copy(const void* from, void* to, int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    late_.emplace_back(to, std::string(static_cast<const char*>(from), static_cast<size_t>(bytes)));
  }
  void Finish() override {
    const std::lock_guard lock(mutex_);
    for (const auto& [to, bytes] : late_) std::memcpy(to, bytes.data(), bytes.size());
    late_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<void*, std::string>> late_;
};

}  // namespace galley
