// The algorithms of the collectives, on bytes. Which rank adds what in which order depends on
// the sizes and rank numbers only (of the channel's group). Reductions work on one segment while
// the next ones are on their way.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "runtime/comm/channel.h"
#include "runtime/comm/reduce.h"
#include "runtime/tensor/arena.h"

namespace galley::comm {

// What a reduction needs to know of its elements.
struct Reduction {
  ReduceFn reduce = nullptr;
  int64_t element_bytes = 1;
};

class Collectives {
 public:
  explicit Collectives(Channel* channel);

  // In place. Recursive doubling up to kSmall bytes, else a ring.
  absl::Status AllReduce(std::byte* data, int64_t bytes, const Reduction& reduction);
  // data: size * shard_bytes; slice rank() of it becomes the reduced one, the others are overwritten.
  absl::Status ReduceScatter(std::byte* data, int64_t shard_bytes, const Reduction& reduction);
  // data: size * shard_bytes; slice rank() of it is given, the others are received.
  absl::Status AllGather(std::byte* data, int64_t shard_bytes);
  absl::Status Broadcast(std::byte* data, int64_t bytes, int root);
  absl::Status Barrier();
  absl::Status Send(const std::byte* data, int64_t bytes, int to);
  absl::Status Recv(std::byte* data, int64_t bytes, int from);

 private:
  // Segments that are received at once. Each has a slot of staging, which is free again when it is reduced.
  static constexpr int kRecvWindow = 4;
  // Segments offered to the next rank at once. Through shared memory it fetches them by itself, so that with
  // many on offer it goes on while this process waits for a processor.
  static constexpr int kSendWindow = 64;
  static constexpr int64_t kSegment = 512 << 10;
  static constexpr int64_t kSmall = 64 << 10;
  static_assert(kSmall <= kSegment);

  // `steps` steps around the ring: in step t each rank sends chunk (first - t) to the next rank and receives
  // chunk (first - t - 1) from the one before, both modulo the size. In the first `reducing` steps what comes
  // is reduced into the chunk, in the others it replaces it.
  struct Ring {
    std::byte* data;
    int64_t bytes;
    int64_t chunk_bytes;
    int first;
    int reducing;
    int steps;
    Reduction reduction;
  };
  struct Piece {
    std::byte* data;
    int64_t bytes;
  };
  absl::Status RunRing(const Ring& ring);
  absl::Status RecursiveDoubling(std::byte* data, int64_t bytes, const Reduction& reduction);
  absl::Status Exchange(int to, int from, const std::byte* out, std::byte* in, int64_t bytes);
  absl::Status Wait(Transfer*& transfer);

  Channel* const channel_;
  const int rank_;
  const int size_;
  Buffer staging_;
};

}  // namespace galley::comm
