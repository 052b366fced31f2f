// Where an op runs. A conditional on a backend belongs here and nowhere else in the tree.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <variant>

#include "runtime/tensor/device.h"
#include "runtime/tensor/scratch.h"
#include "runtime/tensor/view.h"

namespace galley {

// The CPU backend: a number of OpenMP threads, scratch memory, and what a vendor library keeps between
// calls. Ops on one stream run one after the other, on the calling thread and its OpenMP team; when a
// call returns, its work is done.
class CpuStream {
 public:
  explicit CpuStream(int threads, const Device& device = {})
      : threads_(threads), device_(device), scratch_(device) {}
  CpuStream(CpuStream&&) = default;
  CpuStream& operator=(CpuStream&&) = default;

  int threads() const { return threads_; }
  const Device& device() const { return device_; }
  ScratchStack& scratch() { return scratch_; }
  const ScratchStack& scratch() const { return scratch_; }

  // State of a backend library (cached oneDNN primitives), made on first use by runtime/ops and opaque here.
  // A shared_ptr for its erased deleter: the type is known only where it is made.
  std::shared_ptr<void>& library_state() { return library_state_; }

 private:
  int threads_;
  Device device_;
  ScratchStack scratch_;
  std::shared_ptr<void> library_state_;
};

class CudaStream;  // declared for overloads; defined with the CUDA backend

using Stream = std::variant<CpuStream>;

// A stream on `device`. `threads`: of the host, for work that the CPU does.
// `scratch_bytes`: reserved for ops.
inline Stream MakeStream(const Device& device, int threads, int64_t scratch_bytes = 0) {
  switch (device.kind) {
    case DeviceKind::kCpu: {
      CpuStream stream(threads, device);
      stream.scratch().Reserve(scratch_bytes);
      return stream;
    }
  }
  CHECK(false) << "device kind without a stream";
  return CpuStream(threads);
}

const Device& DeviceOf(const Stream& stream);
int64_t ScratchBytesOf(const Stream& stream);  // held now

// Calls op(s), s the stream's own type, with the device's memory open: how an op reaches its
// overload for the backend. `operands`: the memory that the op touches, all of it of the stream's
// device; null for an absent one.
template <class Op>
void Launch(Stream& stream, std::initializer_list<const void*> operands, Op&& op) {
  std::visit(
      [&](auto& s) {
        const Access access(s.device(), operands);
        std::forward<Op>(op)(s);
      },
      stream);
}

// to = from, in the order of the stream's work. Contiguous, of equal types and elements; one or both in the
// memory of the stream's device, the other the host's. A host `from` may change as soon as Copy returns; a
// host `to` holds the values when an Event recorded after the Copy has come.
void Copy(CpuStream& stream, View from, View to);
void Copy(Stream& stream, View from, View to);

// A mark in a stream's work. On a CPU stream it comes at once.
class Event {
 public:
  // After all work given to the stream so far. May be repeated: the last one counts.
  void Record(Stream& stream);
  // Whether the mark has come; true before the first Record.
  bool Query() const;
  // The host waits for it.
  void Wait() const;
  // Work given to `stream` from now on waits for it.
  void Wait(Stream& stream) const;

 private:
  DeviceMemory* memory_ = nullptr;  // of the stream; null before the first Record
};

}  // namespace galley
