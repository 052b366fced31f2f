// A group of ranks and its collectives. Reduction order is fixed by rank numbers, so equal inputs give equal
// bits on every rank and in every run with the same world size. Every collective polls abort and a lost peer
// and returns an error in under a second instead of hanging; after an error the group is broken and every
// further call fails at once.
//
// Threads: one thread at a time may be inside a group; Abort() may be called from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tensor/view.h"

namespace galley::comm {

class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // In place, element-wise sum over ranks. f32, f64 or bf16 (bf16 is summed in f32 and rounded once per hop).
  // No scaling.
  virtual absl::Status AllReduceSum(View data) = 0;
  // In place, element-wise maximum. f32, f64, i64.
  virtual absl::Status AllReduceMax(View data) = 0;
  // data: (size * n); shard: (n), the sum of slice rank() over ranks. data is overwritten.
  virtual absl::Status ReduceScatterSum(View data, View shard) = 0;
  // shard: (n); data: (size * n), slice r from rank r.
  virtual absl::Status AllGather(View shard, View data) = 0;
  virtual absl::Status Broadcast(View data, int root) = 0;
  virtual absl::Status Barrier() = 0;

  // Makes every pending and later call fail with `reason`. Thread-safe, idempotent, no blocking.
  virtual void Abort(const std::string& reason) = 0;
};

// A group of one: every collective is a no-op or a copy.
std::unique_ptr<Group> MakeSelfGroup();

}  // namespace galley::comm
