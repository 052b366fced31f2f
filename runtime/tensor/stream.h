// Where an op runs. The only conditional on a backend in the tree stands here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>

#include "runtime/tensor/arena.h"

namespace galley {

// The CPU backend: a number of OpenMP threads, scratch memory, and what a vendor library keeps between calls.
// Scratch: an op asks for bytes that live until it returns; while planning (before Bind) the most asked for
// is remembered.
class CpuStream {
 public:
  explicit CpuStream(int threads) : threads_(threads) {}

  int threads() const { return threads_; }

  // State of a backend library (cached oneDNN primitives), made on first use by the ops room and opaque here.
  // Shared pointer: the deleter is known only to the room that made it.
  std::shared_ptr<void>& library_state() { return library_state_; }

 private:
  int threads_;
  std::shared_ptr<void> library_state_;
};

class CudaStream;  // declared for overloads; defined with the CUDA backend

using Stream = std::variant<CpuStream>;

}  // namespace galley
