// Where memory is, and who may touch it. Host code reads and writes a device's memory through
// Copy (stream.h) only: on a device that is not the CPU the pointer of a View means nothing to the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace galley {

enum class DeviceKind : uint8_t { kCpu };

// The memory of a device. Thread-safe. Shared by every Device value that names it, and outlives them.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  // Zero-filled, aligned to 2 MiB. CHECKs that there is memory left: a caller that may run short asks before.
  virtual std::byte* Allocate(int64_t bytes) = 0;
  virtual void Free(std::byte* data, int64_t bytes) = 0;

  // Around everything that runs on the device's memory in the host's process (CPU kernels, collectives of
  // host memory). `operands` are what it touches, all in this memory; null for an absent one. May nest and
  // may overlap between threads. For most devices there is nothing to do.
  virtual void Open(std::initializer_list<const void*> /*operands*/) {}
  virtual void Close() {}

  // What a CPU stream's Copy and Event do (stream.h): bytes between this memory and the host's, or within it;
  // and the wait until all of them have arrived.
  virtual void Copy(const void* from, void* to, int64_t bytes) = 0;
  virtual void Finish() {}
};

// The host's own memory: huge pages, and large copies stored past the caches.
DeviceMemory& HostMemory();

// A value. `index` counts the devices of a kind on this machine; which piece of hardware
// (UUID) it is, the inventory says.
struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;
  DeviceMemory* memory = &HostMemory();
};

// Opens a device's memory for as long as it lives.
class Access {
 public:
  Access(const Device& device, std::initializer_list<const void*> operands) : memory_(device.memory) {
    memory_->Open(operands);
  }
  ~Access() { memory_->Close(); }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

 private:
  DeviceMemory* memory_;
};

}  // namespace galley
