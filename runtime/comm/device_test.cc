// Collectives on the memory of a device: one that the host can touch only while it has it open, and one where
// what a stream was given takes effect only when it is waited for.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/comm/ranks_for_test.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/guarded_memory_for_test.h"
#include "runtime/tensor/late_memory_for_test.h"

namespace galley::comm {
namespace {

constexpr int64_t kCount = 300'000;

// `count` floats of a device's memory, and the way in and out.
class OnDevice {
 public:
  OnDevice(Stream& stream, int64_t count) : stream_(stream), buffer_(DeviceOf(stream), count * 4) {
    view_ = View(buffer_.data(), DType::kF32, Shape{count});
  }
  View view() const { return view_; }
  void Fill(float x) {
    std::vector<float> host(static_cast<size_t>(view_.elements()), x);
    Copy(stream_, View(host.data(), DType::kF32, view_.shape), view_);
  }
  std::vector<float> Get() {
    std::vector<float> host(static_cast<size_t>(view_.elements()));
    Copy(stream_, view_, View(host.data(), DType::kF32, view_.shape));
    Event arrived;
    arrived.Record(stream_);
    arrived.Wait();
    return host;
  }

 private:
  Stream& stream_;
  Buffer buffer_;
  View view_;
};

template <class Memory>
std::string EveryCall(Group& group) {
  Memory memory;
  Stream stream = MakeStream({.memory = &memory}, 1);
  const int n = group.size();
  OnDevice all(stream, kCount * n), shard(stream, kCount);
  const auto ok = [](const absl::Status& status) { EXPECT_TRUE(status.ok()) << status.ToString(); };
  all.Fill(static_cast<float>(1 + group.rank()));
  ok(group.AllReduceSum(stream, all.view()));
  const auto sum = static_cast<float>(n * (n + 1) / 2);
  EXPECT_EQ(all.Get(), std::vector<float>(kCount * static_cast<size_t>(n), sum));
  ok(group.ReduceScatterSum(stream, all.view(), shard.view()));
  EXPECT_EQ(shard.Get(), std::vector<float>(kCount, sum * static_cast<float>(n)));
  shard.Fill(3);
  ok(group.AllGather(stream, shard.view(), all.view()));
  EXPECT_EQ(all.Get(), std::vector<float>(kCount * static_cast<size_t>(n), 3));
  shard.Fill(static_cast<float>(group.rank()));
  ok(group.AllReduceMax(stream, shard.view()));
  EXPECT_EQ(shard.Get(), std::vector<float>(kCount, static_cast<float>(n - 1)));
  shard.Fill(static_cast<float>(group.rank()));
  ok(group.Broadcast(stream, shard.view(), n - 1));
  EXPECT_EQ(shard.Get(), std::vector<float>(kCount, static_cast<float>(n - 1)));
  if (group.rank() == 0 && n > 1) {
    shard.Fill(7);
    ok(group.Send(stream, shard.view(), 1));
  } else if (group.rank() == 1) {
    ok(group.Recv(stream, shard.view(), 0));
    EXPECT_EQ(shard.Get(), std::vector<float>(kCount, 7));
  }
  return "";
}

TEST(DeviceMemory, IsOpenedForEveryCall) { RunRanks(3, EveryCall<GuardedMemory>); }

TEST(DeviceMemory, IsOpenedByAGroupOfOne) { EveryCall<GuardedMemory>(*MakeSelfGroup()); }

TEST(DeviceMemory, HoldsWhatTheStreamWasGivenBeforeACallTouchesIt) { RunRanks(3, EveryCall<LateMemory>); }

}  // namespace
}  // namespace galley::comm
