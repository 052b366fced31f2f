#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/mutex.h"
#include "runtime/comm/group.h"

namespace galley::comm {
namespace {

// What an abort leaves behind.
class AbortReason {
 public:
  void Set(const std::string& reason) {
    const MutexLock lock(mutex_);
    if (status_.ok()) status_ = absl::AbortedError(reason);
  }
  absl::Status Get() const {
    const MutexLock lock(mutex_);
    return status_;
  }

 private:
  mutable Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

class SelfGroup : public Group {
 public:
  explicit SelfGroup(std::shared_ptr<AbortReason> aborted) : aborted_(std::move(aborted)) {}

  int rank() const override { return 0; }
  int size() const override { return 1; }

  absl::Status AllReduceSum(Stream&, View) override { return aborted_->Get(); }
  absl::Status AllReduceMax(Stream&, View) override { return aborted_->Get(); }
  absl::Status ReduceScatterSum(Stream& stream, View data, View shard) override {
    return Copy(stream, data, shard);
  }
  absl::Status AllGather(Stream& stream, View shard, View data) override { return Copy(stream, shard, data); }
  absl::Status Broadcast(Stream&, View, int root) override {
    CHECK_EQ(root, 0);
    return aborted_->Get();
  }
  absl::Status Barrier() override { return aborted_->Get(); }

  absl::Status Send(Stream&, View, int to) override { return Nobody(to); }
  absl::Status Recv(Stream&, View, int from) override { return Nobody(from); }

  absl::StatusOr<std::unique_ptr<Group>> Split(int /*color*/, int /*key*/) override {
    if (absl::Status aborted = aborted_->Get(); !aborted.ok()) return aborted;
    return std::make_unique<SelfGroup>(aborted_);
  }

  void Abort(const std::string& reason) override { aborted_->Set(reason); }

 private:
  absl::Status Nobody(int rank) const {
    CHECK(false) << "rank " << rank << " in a group of one";
    return aborted_->Get();
  }

  absl::Status Copy(Stream& stream, View from, View to) const {
    if (from.data != to.data) galley::Copy(stream, from, to);
    return aborted_->Get();
  }

  const std::shared_ptr<AbortReason> aborted_;  // shared with the groups split from this one
};

}  // namespace

std::unique_ptr<Group> MakeSelfGroup() {
  return std::make_unique<SelfGroup>(std::make_shared<AbortReason>());
}

}  // namespace galley::comm
