#include "runtime/comm/ucx_group.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/comm/channel.h"
#include "runtime/comm/collectives.h"
#include "runtime/comm/messenger.h"
#include "runtime/comm/reduce.h"

namespace galley::comm {
namespace {

std::byte* Bytes(const View& view) {
  CHECK(view.contiguous()) << "collectives work on contiguous views";
  return static_cast<std::byte*>(view.data);
}

// While the host works on a stream's memory: the stream's earlier work is done, and the memory is open.
class HostAccess {
 public:
  HostAccess(Stream& stream, const View& data, const View& other = {})
      : access_(DeviceOf(stream), {data.data, other.data}) {
    Event before;
    before.Record(stream);
    before.Wait();
  }

 private:
  Access access_;
};

class UcxGroup : public Group {
 public:
  explicit UcxGroup(Channel channel) : channel_(std::move(channel)), collectives_(&channel_) {}

  int rank() const override { return channel_.rank(); }
  int size() const override { return channel_.size(); }

  absl::Status AllReduceSum(Stream& stream, View data) override {
    const HostAccess access(stream, data);
    return collectives_.AllReduce(Bytes(data), data.bytes(), {SumOf(data.dtype), SizeOf(data.dtype)});
  }

  absl::Status AllReduceMax(Stream& stream, View data) override {
    const HostAccess access(stream, data);
    return collectives_.AllReduce(Bytes(data), data.bytes(), {MaxOf(data.dtype), SizeOf(data.dtype)});
  }

  absl::Status ReduceScatterSum(Stream& stream, View data, View shard) override {
    const HostAccess access(stream, data, shard);
    CheckShard(data, shard);
    RETURN_IF_ERROR(
        collectives_.ReduceScatter(Bytes(data), shard.bytes(), {SumOf(data.dtype), SizeOf(data.dtype)}));
    Copy(Bytes(shard), Slice(data, shard), shard.bytes());
    return absl::OkStatus();
  }

  absl::Status AllGather(Stream& stream, View shard, View data) override {
    const HostAccess access(stream, data, shard);
    CheckShard(data, shard);
    Copy(Slice(data, shard), Bytes(shard), shard.bytes());
    return collectives_.AllGather(Bytes(data), shard.bytes());
  }

  absl::Status Broadcast(Stream& stream, View data, int root) override {
    const HostAccess access(stream, data);
    CHECK(root >= 0 && root < size()) << root;
    return collectives_.Broadcast(Bytes(data), data.bytes(), root);
  }

  absl::Status Barrier() override { return collectives_.Barrier(); }

  absl::Status Send(Stream& stream, View data, int to) override {
    const HostAccess access(stream, data);
    CheckPeer(to);
    return collectives_.Send(Bytes(data), data.bytes(), to);
  }

  absl::Status Recv(Stream& stream, View data, int from) override {
    const HostAccess access(stream, data);
    CheckPeer(from);
    return collectives_.Recv(Bytes(data), data.bytes(), from);
  }

  absl::StatusOr<std::unique_ptr<Group>> Split(int color, int key) override {
    Messenger& messenger = *channel_.messenger();
    std::vector<Member> members(static_cast<size_t>(size()));
    members[static_cast<size_t>(rank())] = {color, key, rank(), messenger.next_group()};
    RETURN_IF_ERROR(collectives_.AllGather(reinterpret_cast<std::byte*>(members.data()), sizeof(Member)));
    // The first number that none of the ranks has used: then no pair of ranks has another group of it. The
    // groups of one split share it; no pair is in two of them.
    int group = 0;
    for (const Member& m : members) group = std::max(group, m.next_group);
    if (group >= kMaxGroups) {
      return absl::ResourceExhaustedError(
          absl::StrCat("at most ", kMaxGroups - 1, " splits can be made on one connection"));
    }
    messenger.UsedGroup(group);
    std::erase_if(members, [color](const Member& m) { return m.color != color; });
    std::stable_sort(members.begin(), members.end(),
                     [](const Member& a, const Member& b) { return a.key < b.key; });
    std::vector<int> ranks;
    int own_rank = 0;
    for (const Member& m : members) {
      if (m.rank == rank()) own_rank = static_cast<int>(ranks.size());
      ranks.push_back(channel_.WorldRank(m.rank));
    }
    return std::make_unique<UcxGroup>(Channel(channel_.messenger(), group, std::move(ranks), own_rank));
  }

  void Abort(const std::string& reason) override { channel_.messenger()->Abort(reason); }

 private:
  // What each rank says of itself when a group is split.
  struct Member {
    int32_t color, key, rank, next_group;
  };

  void CheckPeer(int peer) const { CHECK(peer >= 0 && peer < size() && peer != rank()) << peer; }

  void CheckShard(const View& data, const View& shard) const {
    CHECK(data.dtype == shard.dtype);
    CHECK_EQ(data.elements(), size() * shard.elements());
  }

  std::byte* Slice(const View& data, const View& shard) const { return Bytes(data) + rank() * shard.bytes(); }

  static void Copy(std::byte* to, const std::byte* from, int64_t bytes) {
    if (to != from && bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
  }

  Channel channel_;
  Collectives collectives_;
};

class UcxEndpointImpl : public UcxEndpoint {
 public:
  explicit UcxEndpointImpl(std::unique_ptr<Messenger> messenger)
      : address_(messenger->address()), messenger_(std::move(messenger)) {}

  const std::string& address() const override { return address_; }

  absl::StatusOr<std::unique_ptr<Group>> Connect(int rank,
                                                 const std::vector<std::string>& addresses) override {
    CHECK(messenger_ != nullptr) << "an endpoint connects once";
    std::unique_ptr<Messenger> messenger = std::move(messenger_);
    RETURN_IF_ERROR(messenger->Connect(rank, addresses));
    if (addresses.size() == 1) return MakeSelfGroup();
    return std::make_unique<UcxGroup>(Channel(std::shared_ptr<Messenger>(std::move(messenger))));
  }

 private:
  const std::string address_;
  std::unique_ptr<Messenger> messenger_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<UcxEndpoint>> UcxEndpoint::Create(const UcxOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Messenger> messenger, Messenger::Create(options));
  return std::make_unique<UcxEndpointImpl>(std::move(messenger));
}

}  // namespace galley::comm
