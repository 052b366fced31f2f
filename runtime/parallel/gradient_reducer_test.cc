#include "runtime/parallel/gradient_reducer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "runtime/base/hash.h"
#include "runtime/comm/ranks_for_test.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/late_memory_for_test.h"

namespace galley::parallel {
namespace {

using comm::Group;

float Part(int rank, int64_t i) {
  return static_cast<float>((i * 2654435761 + rank * 40503) % 1000003) * 1e-6f - 0.3f;
}

std::vector<float> Parts(int rank, int64_t count) {
  std::vector<float> v(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) v[static_cast<size_t>(i)] = Part(rank, i);
  return v;
}

View Of(std::vector<float>& v) { return View(v.data(), DType::kF32, Shape{static_cast<int64_t>(v.size())}); }

std::string Digest(const std::vector<float>& v) {
  return Hex(Hash64(std::string(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float))));
}

// All-reduce of each bucket by hand, in the documented order.
std::vector<float> ByHand(Group& group, int64_t count, int64_t bucket) {
  std::vector<float> v = Parts(group.rank(), count);
  for (int64_t end = count; end > 0; end -= bucket) {
    int64_t begin = std::max<int64_t>(end - bucket, 0);
    EXPECT_TRUE(
        group.AllReduceSum(comm::Cpu(), View(v.data() + begin, DType::kF32, Shape{end - begin})).ok());
  }
  return v;
}

class GradientReducerTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, GradientReducerTest, testing::Values(1, 2, 3, 4));

TEST_P(GradientReducerTest, EqualsAllReduceOfItsBucketsBitForBitHoweverTheProducerGoes) {
  std::vector<std::string> digests = comm::RunRanks(GetParam(), [](Group& group) -> std::string {
    constexpr int64_t kCount = 300'007, kBucket = 32'768;
    const std::vector<float> expected = ByHand(group, kCount, kBucket);
    std::vector<float> flat(kCount);
    GradientReducer reducer(&group, Of(flat), kBucket * 4);
    EXPECT_EQ(reducer.buckets(), 10);
    for (int64_t stride : {1'000'000, 100'000, 32'768, 5'000}) {
      // The backward pass: what lies below the ready offset is still nonsense while buckets above are summed.
      std::fill(flat.begin(), flat.end(), 1e30f);
      reducer.Begin(comm::Cpu());
      for (int64_t end = kCount; end > 0; end -= stride) {
        int64_t begin = std::max<int64_t>(end - stride, 0);
        for (int64_t i = begin; i < end; ++i) flat[static_cast<size_t>(i)] = Part(group.rank(), i);
        reducer.ReadyDownTo(begin);
      }
      absl::Status status = reducer.Finish();
      EXPECT_TRUE(status.ok()) << status.ToString();
      EXPECT_EQ(flat, expected) << "stride " << stride;
      // In between the group is the caller's.
      double norm = group.rank();
      EXPECT_TRUE(group.AllReduceSum(comm::Cpu(), View(&norm, DType::kF64, Shape{})).ok());
      EXPECT_EQ(norm, group.size() * (group.size() - 1) / 2);
    }
    return Digest(flat);
  });
  for (const std::string& digest : digests) EXPECT_EQ(digest, digests[0]);
}

// A group that is held by the test: it says which bytes it was asked to reduce and when.
class HeldGroup : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  absl::Status AllReduceSum(Stream&, View data) override {
    int index = calls.load();
    begins[index] = static_cast<float*>(data.data);
    counts[index] = data.elements();
    calls.store(index + 1);
    calls.notify_all();
    return fail_at == index ? absl::UnavailableError("rank 1 was lost") : absl::OkStatus();
  }
  absl::Status AllReduceMax(Stream&, View) override { return absl::OkStatus(); }
  absl::Status ReduceScatterSum(Stream&, View, View) override { return absl::OkStatus(); }
  absl::Status AllGather(Stream&, View, View) override { return absl::OkStatus(); }
  absl::Status Broadcast(Stream&, View, int) override { return absl::OkStatus(); }
  absl::Status Send(Stream&, View, int) override { return absl::OkStatus(); }
  absl::Status Recv(Stream&, View, int) override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<Group>> Split(int, int) override { return std::make_unique<HeldGroup>(); }
  absl::Status Barrier() override { return absl::OkStatus(); }
  void Abort(const std::string& reason) override { aborted = reason; }

  void WaitForCalls(int count) const {
    for (int now; (now = calls.load()) < count;) calls.wait(now);
  }

  std::atomic<int> calls = 0;
  float* begins[16] = {};
  int64_t counts[16] = {};
  int fail_at = -1;
  std::string aborted;
};

TEST(GradientReducer, ReducesFinalBucketsWhileTheBackwardPassGoesOnAndNoOthers) {
  HeldGroup group;
  std::vector<float> flat(1000);
  GradientReducer reducer(&group, Of(flat), 256 * 4);
  EXPECT_EQ(reducer.buckets(), 4);
  reducer.Begin(comm::Cpu());
  reducer.ReadyDownTo(745);  // one element of the last bucket is missing
  reducer.ReadyDownTo(744);
  group.WaitForCalls(1);  // comes although the pass has not finished
  EXPECT_EQ(group.begins[0], flat.data() + 744);
  EXPECT_EQ(group.counts[0], 256);
  reducer.ReadyDownTo(900);  // an older report changes nothing
  reducer.ReadyDownTo(100);
  group.WaitForCalls(3);
  EXPECT_EQ(group.begins[2], flat.data() + 232);
  reducer.ReadyDownTo(0);
  EXPECT_TRUE(reducer.Finish().ok());
  EXPECT_EQ(group.calls, 4);
  EXPECT_EQ(group.begins[3], flat.data());
  EXPECT_EQ(group.counts[3], 232);
}

// Says that an element at or above which all is final was handed over before it was.
class FinalOnlyGroup : public HeldGroup {
 public:
  absl::Status AllReduceSum(Stream&, View data) override {
    if (static_cast<float*>(data.data) < final_from.load()) early = true;
    calls.fetch_add(1);
    calls.notify_all();
    return absl::OkStatus();
  }
  std::atomic<const float*> final_from = nullptr;
  std::atomic<bool> early = false;
};

// An early bucket is seen only where the reducer's thread is quicker than the pass:
// many passes, so that it is.
TEST(GradientReducer, NoBucketIsSummedBeforeAllOfItIsFinal) {
  FinalOnlyGroup group;
  std::vector<float> flat(1024);
  GradientReducer reducer(&group, Of(flat), 64 * 4);
  for (int step = 1; step <= 300; ++step) {
    group.final_from = flat.data() + flat.size();
    reducer.Begin(comm::Cpu());
    for (int64_t begin = 960; begin >= 0; begin -= 64) {
      group.final_from = flat.data() + begin;
      reducer.ReadyDownTo(begin);
      group.WaitForCalls(16 * (step - 1) + static_cast<int>(1024 - begin) / 64);
    }
    ASSERT_TRUE(reducer.Finish().ok());
  }
  EXPECT_FALSE(group.early);
}

TEST(GradientReducer, FinishAloneReducesAllStepAfterStep) {
  HeldGroup group;
  std::vector<float> flat(100);
  GradientReducer reducer(&group, Of(flat), 1);  // rounded up to a cache line: 16 elements
  EXPECT_EQ(reducer.buckets(), 7);
  for (int step = 1; step <= 2; ++step) {
    reducer.Begin(comm::Cpu());
    EXPECT_TRUE(reducer.Finish().ok());
    EXPECT_EQ(group.calls, 7 * step);
  }
}

TEST(GradientReducer, TheGroupsErrorComesOutOfFinishAndEndsTheReducing) {
  HeldGroup group;
  group.fail_at = 1;
  std::vector<float> flat(64);
  GradientReducer reducer(&group, Of(flat), 64);
  reducer.Begin(comm::Cpu());
  reducer.ReadyDownTo(0);
  EXPECT_EQ(reducer.Finish(), absl::UnavailableError("rank 1 was lost"));
  EXPECT_EQ(group.calls, 2);
  reducer.Begin(comm::Cpu());
  EXPECT_EQ(reducer.Finish(), absl::UnavailableError("rank 1 was lost"));
}

TEST(GradientReducer, DestroyedInTheMiddleOfAStepItAbortsTheGroup) {
  HeldGroup group;
  std::vector<float> flat(64);
  {
    GradientReducer reducer(&group, Of(flat), 64);
    reducer.Begin(comm::Cpu());
  }
  EXPECT_THAT(group.aborted, testing::HasSubstr("middle of a step"));
}

// Adds 1 to every element, as work on the stream that need not be over on return (NCCL).
class LateGroup : public HeldGroup {
 public:
  absl::Status AllReduceSum(Stream& stream, View data) override {
    std::vector<float> sum(static_cast<size_t>(data.elements()));
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = data.As<float>()[i] + 1;
    Copy(stream, Of(sum), data);
    return absl::OkStatus();
  }
};

TEST(GradientReducer, EventsOrderTheStreamsOfAStepAndOfItsSums) {
  constexpr int64_t kCount = 200, kStride = 50;
  LateMemory memory;
  const Device device{.memory = &memory};
  const Buffer buffer(device, kCount * 4);
  const View flat(buffer.data(), DType::kF32, Shape{kCount});
  LateGroup group;
  Stream stream = MakeStream(device, 1);
  GradientReducer reducer(&group, flat, 64 * 4, device);
  for (int step = 1; step <= 3; ++step) {
    reducer.Begin(stream);
    for (int64_t begin = kCount - kStride; begin >= 0; begin -= kStride) {
      std::vector<float> gradients(kStride, static_cast<float>(10 * step));
      Copy(stream, Of(gradients), flat.Rows(begin, kStride));
      reducer.ReadyDownTo(begin);
    }
    ASSERT_TRUE(reducer.Finish().ok());
    // The step's stream has waited for the sums, and on the CPU that is the host.
    EXPECT_THAT(flat.Span<float>(), testing::Each(10 * step + 1)) << "step " << step;
  }
}

TEST(GradientReducer, AnEmptyBufferHasNothingToWaitFor) {
  HeldGroup group;
  std::vector<float> none;
  GradientReducer reducer(&group, Of(none), 64);
  reducer.Begin(comm::Cpu());
  reducer.ReadyDownTo(0);
  EXPECT_TRUE(reducer.Finish().ok());
  EXPECT_EQ(group.calls, 0);
}

}  // namespace
}  // namespace galley::parallel
