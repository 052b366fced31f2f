// Where an op runs. The only conditional on a backend in the tree stands here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "runtime/tensor/arena.h"

namespace galley {

// The CPU backend: a number of OpenMP threads, scratch memory, and what a vendor library keeps between calls.
// Ops on one stream run one after the other, on the calling thread and its OpenMP team.
//
// Scratch is a stack of bytes for an op's own use. It grows when a shape is first met and never shrinks; from
// then on ops allocate nothing. A step that runs the same shapes as one before it touches no allocator.
class CpuStream {
 public:
  explicit CpuStream(int threads) : threads_(threads) {}
  CpuStream(CpuStream&&) = default;
  CpuStream& operator=(CpuStream&&) = default;

  int threads() const { return threads_; }

  // State of a backend library (cached oneDNN primitives), made on first use by the ops room and opaque here.
  // Shared pointer: the deleter is known only to the room that made it.
  std::shared_ptr<void>& library_state() { return library_state_; }

  // Bytes held as scratch now: the most that any op so far has needed.
  int64_t scratch_bytes() const;

 private:
  friend class Scratch;
  struct Block {
    Buffer buffer;
    int64_t used = 0;
  };

  int threads_;
  std::shared_ptr<void> library_state_;
  std::vector<Block> blocks_;  // pointers into a block stay good until its Scratch ends, so blocks never move
  int frames_ = 0;
};

// Scratch of one op: what it takes lives until the object ends. Frames nest as calls do.
class Scratch {
 public:
  explicit Scratch(CpuStream& stream);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Not initialised; at a 64-byte boundary.
  template <class T>
  T* Take(int64_t n) {
    return static_cast<T*>(Bytes(n * static_cast<int64_t>(sizeof(T))));
  }
  void* Bytes(int64_t bytes);

 private:
  CpuStream& stream_;
  size_t block_;  // where the stack stood when the frame began
  int64_t used_;
};

class CudaStream;  // declared for overloads; defined with the CUDA backend

using Stream = std::variant<CpuStream>;

}  // namespace galley
