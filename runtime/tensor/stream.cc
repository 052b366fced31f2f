#include "runtime/tensor/stream.h"

namespace galley {

int64_t ScratchBytesOf(const Stream& stream) {
  return std::visit([](const auto& s) { return s.scratch().bytes(); }, stream);
}

const Device& DeviceOf(const Stream& stream) {
  return std::visit([](const auto& s) -> const Device& { return s.device(); }, stream);
}

void Copy(CpuStream& stream, View from, View to) {
  stream.device().memory->Copy(from.data, to.data, from.bytes());
}

void Copy(Stream& stream, View from, View to) {
  CHECK(from.dtype == to.dtype) << Name(from.dtype) << " is not " << Name(to.dtype);
  CHECK_EQ(from.elements(), to.elements());
  CHECK(from.contiguous() && to.contiguous());
  std::visit([&](auto& s) { Copy(s, from, to); }, stream);
}

// All that may be under way on a CPU stream when a call has returned is a copy of its device's memory.
void Event::Record(Stream& stream) { memory_ = DeviceOf(stream).memory; }

bool Event::Query() const {
  Wait();
  return true;
}

void Event::Wait() const {
  if (memory_ != nullptr) memory_->Finish();
}

// One CPU stream's work is over before another's is given.
void Event::Wait(Stream&) const { Wait(); }

}  // namespace galley
