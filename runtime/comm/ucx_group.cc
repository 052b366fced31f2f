#include "runtime/comm/ucx_group.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/comm/collectives.h"
#include "runtime/comm/messenger.h"
#include "runtime/comm/reduce.h"

namespace galley::comm {
namespace {

std::byte* Bytes(const View& view) {
  CHECK(view.contiguous()) << "collectives work on contiguous views";
  return static_cast<std::byte*>(view.data);
}

class UcxGroup : public Group {
 public:
  explicit UcxGroup(std::unique_ptr<Messenger> messenger)
      : messenger_(std::move(messenger)), collectives_(messenger_.get()) {}

  int rank() const override { return messenger_->rank(); }
  int size() const override { return messenger_->size(); }

  absl::Status AllReduceSum(View data) override {
    return collectives_.AllReduce(Bytes(data), data.bytes(), {SumOf(data.dtype), SizeOf(data.dtype)});
  }

  absl::Status AllReduceMax(View data) override {
    return collectives_.AllReduce(Bytes(data), data.bytes(), {MaxOf(data.dtype), SizeOf(data.dtype)});
  }

  absl::Status ReduceScatterSum(View data, View shard) override {
    CheckShard(data, shard);
    RETURN_IF_ERROR(
        collectives_.ReduceScatter(Bytes(data), shard.bytes(), {SumOf(data.dtype), SizeOf(data.dtype)}));
    Copy(Bytes(shard), Slice(data, shard), shard.bytes());
    return absl::OkStatus();
  }

  absl::Status AllGather(View shard, View data) override {
    CheckShard(data, shard);
    Copy(Slice(data, shard), Bytes(shard), shard.bytes());
    return collectives_.AllGather(Bytes(data), shard.bytes());
  }

  absl::Status Broadcast(View data, int root) override {
    CHECK(root >= 0 && root < size()) << root;
    return collectives_.Broadcast(Bytes(data), data.bytes(), root);
  }

  absl::Status Barrier() override { return collectives_.Barrier(); }
  void Abort(const std::string& reason) override { messenger_->Abort(reason); }

 private:
  void CheckShard(const View& data, const View& shard) const {
    CHECK(data.dtype == shard.dtype);
    CHECK_EQ(data.elements(), size() * shard.elements());
  }

  std::byte* Slice(const View& data, const View& shard) const { return Bytes(data) + rank() * shard.bytes(); }

  static void Copy(std::byte* to, const std::byte* from, int64_t bytes) {
    if (to != from && bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
  }

  std::unique_ptr<Messenger> messenger_;
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
    return std::make_unique<UcxGroup>(std::move(messenger));
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
