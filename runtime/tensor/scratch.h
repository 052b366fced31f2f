// Memory for an op's own use, from the device of the op's stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/tensor/arena.h"

namespace galley {

// A stack of bytes that a stream of any backend keeps. It grows when a shape is first met and never shrinks;
// from then on ops allocate nothing. A step that runs the same shapes as one before it touches no allocator.
class ScratchStack {
 public:
  explicit ScratchStack(const Device& device) : device_(device) {}

  // Takes this much at once, in one piece. Ops that need more make it grow. REQUIRES: no Scratch is open.
  void Reserve(int64_t bytes);

  int64_t bytes() const;                  // held now
  int64_t peak() const { return peak_; }  // the most that was in use at one time

 private:
  friend class Scratch;
  struct Block {
    Buffer buffer;
    int64_t used = 0;
  };

  Device device_;
  std::vector<Block> blocks_;  // pointers into a block stay good until its Scratch ends, so blocks never move
  int frames_ = 0;
  int64_t in_use_ = 0, peak_ = 0;
};

// Scratch of one op: what it takes lives until the object ends. Frames nest as calls do. Work of a stream
// runs in order, so on an asynchronous stream the next op may be given the same bytes.
class Scratch {
 public:
  explicit Scratch(ScratchStack& stack);
  template <class BackendStream>
  explicit Scratch(BackendStream& stream) : Scratch(stream.scratch()) {}
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
  ScratchStack& stack_;
  size_t block_;  // where the stack stood when the frame began
  int64_t used_;
  int64_t in_use_;
};

}  // namespace galley
