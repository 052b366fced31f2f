// A group of ranks: collectives, and messages between two of them. Reduction order is fixed by rank numbers,
// so equal inputs give equal bits on every rank and in every run with the same group. Every call polls abort
// and a lost peer and returns an error in under a second instead of hanging.
//
// Groups that were split from one another share a connection. What breaks one of them (an abort, a lost rank
// of any of them, ranks that disagree about a size) breaks all, here and on every rank; every further call
// fails at once. Errors name ranks by their number in the first group, the world.
//
// Stream: data is in the memory of the stream's device. Work given to `stream` before a call is done before
// the call touches `data`, and work given to it afterwards comes after. UCX and self groups work on the
// host's time: they complete the stream's work first, and their own before they return. A group of a device
// (NCCL) may put its work on the stream and return.
//
// Threads: one at a time inside a group; different groups may be used by different threads at once. Groups of
// one connection are split by one thread at a time. Abort() may be called from any thread.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tensor/stream.h"
#include "runtime/tensor/view.h"

namespace galley::comm {

class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // In place, element-wise sum over ranks. f32, f64 or bf16 (bf16 is summed in f32 and
  // rounded once per hop). No scaling.
  virtual absl::Status AllReduceSum(Stream& stream, View data) = 0;
  // In place, element-wise maximum. f32, f64, i64.
  virtual absl::Status AllReduceMax(Stream& stream, View data) = 0;
  // data: (size * n); shard: (n), the sum of slice rank() over ranks. data is overwritten.
  virtual absl::Status ReduceScatterSum(Stream& stream, View data, View shard) = 0;
  // shard: (n); data: (size * n), slice r from rank r.
  virtual absl::Status AllGather(Stream& stream, View shard, View data) = 0;
  virtual absl::Status Broadcast(Stream& stream, View data, int root) = 0;
  // Of the hosts: waits for no stream.
  virtual absl::Status Barrier() = 0;

  // To another rank, which calls Recv with as many bytes; messages between two ranks come in the
  // order in which they were sent. Send may wait for the other's Recv, as MPI_Send may: where two
  // ranks send to each other, one must receive first. A message of another size is an error that
  // names both ranks and both sizes.
  virtual absl::Status Send(Stream& stream, View data, int to) = 0;
  virtual absl::Status Recv(Stream& stream, View data, int from) = 0;

  // MPI_Comm_split. All ranks call it; those of one color get a group of their own, ordered by key and, where
  // keys are equal, by rank here. It needs this group no longer. The same calls give the same groups.
  virtual absl::StatusOr<std::unique_ptr<Group>> Split(int color, int key) = 0;

  // Makes every pending and later call of all groups of the connection fail with `reason`.
  // Thread-safe, idempotent, no blocking.
  virtual void Abort(const std::string& reason) = 0;
};

// A group of one: every collective is a no-op or a copy, and there is nobody to send to.
std::unique_ptr<Group> MakeSelfGroup();

}  // namespace galley::comm
