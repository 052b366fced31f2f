#include "runtime/comm/channel.h"

#include <numeric>
#include <utility>

namespace galley::comm {
namespace {

std::vector<int> AllRanks(int size) {
  std::vector<int> ranks(static_cast<size_t>(size));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

}  // namespace

Channel::Channel(std::shared_ptr<Messenger> messenger)
    : messenger_(std::move(messenger)),
      group_(0),
      ranks_(AllRanks(messenger_->size())),
      rank_(messenger_->rank()) {}

Channel::Channel(std::shared_ptr<Messenger> messenger, int group, std::vector<int> ranks, int own_rank)
    : messenger_(std::move(messenger)), group_(group), ranks_(std::move(ranks)), rank_(own_rank) {}

absl::Status Channel::Begin(TagKind kind) {
  kind_ = kind;
  if (kind == TagKind::kCollective) ++collectives_;
  wait_.idle = 0;
  return messenger_->Check();
}

Transfer* Channel::Send(int to, const void* data, int64_t bytes) {
  return messenger_->Send(WorldRank(to), data, bytes, TagFrom(rank_));
}

Transfer* Channel::Recv(int from, void* data, int64_t bytes) {
  return messenger_->Recv(WorldRank(from), data, bytes, TagFrom(from));
}

// Two ranks that exchange point-to-point messages have not the same number of operations behind them, so
// these are told apart by their order alone.
uint64_t Channel::TagFrom(int sender) const {
  return MakeTag(messenger_->cookie(), WorldRank(sender), kind_, group_,
                 kind_ == TagKind::kCollective ? collectives_ : 0);
}

}  // namespace galley::comm
