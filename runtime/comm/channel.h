// The messages of one group on the connection that it shares with others: its ranks, its tags, and
// the order of its operations.
//
// An operation is Begin, any number of Send, Recv, Take and Progress, then End. Messages of one pair in one
// operation are matched in order; point-to-point ones also across operations.
//
// One thread at a time. Threads in channels of one connection do not disturb each other.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "runtime/comm/messenger.h"
#include "runtime/comm/tag.h"

namespace galley::comm {

class Channel {
 public:
  // The world: all ranks of the connection.
  explicit Channel(std::shared_ptr<Messenger> messenger);
  // A group of some: `group` is its number, `ranks` the connection's rank of each
  // member, own_rank among them.
  Channel(std::shared_ptr<Messenger> messenger, int group, std::vector<int> ranks, int own_rank);

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(ranks_.size()); }
  // The connection's number of a member.
  int WorldRank(int rank) const { return ranks_[static_cast<size_t>(rank)]; }
  const std::shared_ptr<Messenger>& messenger() const { return messenger_; }

  absl::Status Begin(TagKind kind);
  Transfer* Send(int to, const void* data, int64_t bytes);
  Transfer* Recv(int from, void* data, int64_t bytes);
  static bool Take(Transfer*& transfer) { return TransferPool::Take(transfer); }
  absl::Status Progress() { return messenger_->Progress(wait_); }
  absl::Status End() { return messenger_->Flush(wait_); }

 private:
  uint64_t TagFrom(int sender) const;

  // Shared by the channels of one connection: it ends when the last of them does.
  const std::shared_ptr<Messenger> messenger_;
  const int group_;
  const std::vector<int> ranks_;
  const int rank_;
  TagKind kind_ = TagKind::kCollective;  // of the operation under way
  uint32_t collectives_ = 0;             // begun so far; equal on all ranks
  Messenger::Wait wait_;
};

}  // namespace galley::comm
