#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/tensor/arena.h"
#include "runtime/tensor/guarded_memory_for_test.h"
#include "runtime/tensor/stream.h"
#include "runtime/tensor/view.h"

namespace galley {
namespace {

TEST(BF16, RoundsToNearestEven) {
  EXPECT_EQ(BF16(1.0f).bits, 0x3f80);
  EXPECT_EQ(BF16(1.00390625f).bits, 0x3f80);  // exactly half way, to even
  EXPECT_EQ(BF16(1.01171875f).bits, 0x3f82);  // exactly half way, to even above
  EXPECT_TRUE(std::isnan(static_cast<float>(BF16(std::nanf("")))));
  EXPECT_TRUE(std::isinf(static_cast<float>(BF16(std::numeric_limits<float>::max()))));
}

TEST(Arena, BindsWhatItMeasured) {
  auto allocate = [](Arena& a) {
    View x = a.Take(DType::kF32, {3, 5});
    View y = a.Take(DType::kBF16, {7});
    return std::pair(x, y);
  };
  Arena measure;
  auto [mx, my] = allocate(measure);
  EXPECT_EQ(mx.data, nullptr);
  Arena bound{Buffer(Device(), measure.used())};
  auto [x, y] = allocate(bound);
  EXPECT_EQ(bound.used(), measure.used());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(y.data) % 64, 0u);
  EXPECT_EQ(x.As<float>()[14], 0.0f);
  EXPECT_DEATH(bound.Take(DType::kF32, {1000}), "measuring pass");
}

TEST(Arena, RetakeKeepsWhatReleaseGaveBack) {
  Arena arena{Buffer(Device(), 4096)};
  const int64_t mark = arena.Mark();
  View large = arena.Take(DType::kF32, {64});
  const int64_t end = arena.Mark();
  arena.Release(mark);
  View small = arena.Take(DType::kF32, {16});
  EXPECT_EQ(small.data, large.data);
  arena.Release(mark);
  arena.Retake(end);
  EXPECT_EQ(arena.Take(DType::kF32, {1}).data, large.As<float>() + 64);
  EXPECT_EQ(arena.peak(), end + 64);
  EXPECT_DEATH(arena.Retake(2048), "");
}

TEST(View, RowsAndReshape) {
  float data[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  View v(data, DType::kF32, {4, 3});
  EXPECT_EQ(v.Rows(2, 2).As<float>()[0], 6.0f);
  EXPECT_EQ(v.Reshape({2, 6}).shape, Shape({2, 6}));
  EXPECT_EQ(v.shape.ToString(), "(4, 3)");
}

// `device`: where the scratch must come from.
void ExpectSteadyScratch(const Device& device) {
  CpuStream stream(1, device);
  auto work = [&] {
    const Access access(device, {});
    Scratch outer(stream);
    auto* a = outer.Take<float>(1000);
    a[0] = 1;
    a[999] = 2;
    {
      Scratch inner(stream);
      auto* b = inner.Take<float>(5'000'000);  // more than a first block holds
      std::fill_n(b, 5'000'000, 7.0f);
    }
    auto* c = outer.Take<double>(3);
    std::fill_n(c, 3, 9.0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(c) % 64, 0u);
    EXPECT_EQ(a[0], 1);
    EXPECT_EQ(a[999], 2);
  };
  work();
  work();
  int64_t held = stream.scratch().bytes();
  EXPECT_GE(held, 5'000'000 * 4);
  for (int i = 0; i < 5; ++i) work();
  EXPECT_EQ(stream.scratch().bytes(), held);
}

TEST(Scratch, NestsKeepsPointersAndStopsGrowing) { ExpectSteadyScratch(Device()); }

TEST(Scratch, ComesFromTheDeviceOfItsStream) {
  GuardedMemory memory;
  const Device device{.memory = &memory};
  ExpectSteadyScratch(device);
  CpuStream stream(1, device);
  Scratch scratch(stream);
  EXPECT_TRUE(memory.Holds(scratch.Bytes(64)));
}

// Four floats in the memory of a device that the host cannot touch.
class Guarded : public testing::Test {
 protected:
  View Host(std::vector<float>& v) { return View(v.data(), DType::kF32, {static_cast<int64_t>(v.size())}); }

  GuardedMemory memory_;
  Device device_{.memory = &memory_};
  Stream stream_ = MakeStream(device_, 1);
  Buffer buffer_{device_, 32};
  View view_{buffer_.data(), DType::kF32, {4}};
  View other_{buffer_.data() + 16, DType::kF32, {4}};
};

TEST_F(Guarded, CopiesGoInWithinAndOutAndArriveWithTheEvent) {
  std::vector<float> in = {1, 2, 3, 4}, out(4);
  Copy(stream_, Host(in), view_);
  in.assign(4, 9);  // a host source may change at once
  Copy(stream_, view_, other_);
  Copy(stream_, other_, Host(out));
  Event done;
  EXPECT_TRUE(done.Query());  // nothing recorded
  done.Record(stream_);
  EXPECT_NE(out, std::vector<float>({1, 2, 3, 4})) << "before the event";
  done.Wait();
  EXPECT_EQ(out, std::vector<float>({1, 2, 3, 4}));
}

TEST_F(Guarded, AnotherStreamWaitsForTheEvent) {
  std::vector<float> in = {1, 2, 3, 4}, out(4);
  Stream second = MakeStream(device_, 1);
  Copy(stream_, Host(in), view_);
  Copy(stream_, view_, Host(out));
  Event done;
  done.Record(stream_);
  done.Wait(second);
  EXPECT_TRUE(done.Query());
  EXPECT_EQ(out, in);
}

TEST_F(Guarded, AnOpRunsOnIt) {
  std::vector<float> out(4);
  Launch(stream_, {view_.data, nullptr}, [&](auto&) { view_.As<float>()[2] = 5; });
  Copy(stream_, view_, Host(out));
  Event done;
  done.Record(stream_);
  done.Wait();
  EXPECT_EQ(out, std::vector<float>({0, 0, 5, 0}));
}

using GuardedDeathTest = Guarded;

// volatile: a read that nobody uses must still happen.
TEST_F(GuardedDeathTest, AHostReadFaults) {
  EXPECT_DEATH((void)*static_cast<volatile float*>(view_.As<float>()), "");
}

TEST_F(GuardedDeathTest, AHostWriteFaultsAfterAnOpToo) {
  Launch(stream_, {view_.data}, [](auto&) {});
  EXPECT_DEATH(*static_cast<volatile float*>(view_.As<float>()) = 1, "");
}

TEST_F(GuardedDeathTest, AnOpIsGivenNoHostMemory) {
  std::vector<float> host(4);
  EXPECT_DEATH(Launch(stream_, {view_.data, host.data()}, [](auto&) {}), "an operand in host memory");
  EXPECT_DEATH(Copy(stream_, Host(host), Host(host)), "neither end is the device's");
}

TEST(Copy, HostMemoryOfEverySize) {
  Stream stream = MakeStream(Device(), 1);
  // Around the size from which copies pass by the caches, from every alignment.
  for (int64_t n : {0, 1, 63, 64, 65, (256 << 10) - 1, 256 << 10, (256 << 10) + 77}) {
    for (int64_t skew : {0, 1, 17}) {
      std::vector<uint8_t> from(static_cast<size_t>(n + 64)), to(static_cast<size_t>(n + 64), 7);
      for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<uint8_t>(i * 31 + i / 256);
      Copy(stream, View(from.data() + skew, DType::kU8, {n}), View(to.data() + 5, DType::kU8, {n}));
      EXPECT_TRUE(std::equal(from.begin() + skew, from.begin() + skew + n, to.begin() + 5)) << n;
      EXPECT_EQ(to[4], 7);
      EXPECT_EQ(to[static_cast<size_t>(n + 5)], 7) << n;
    }
  }
}

}  // namespace
}  // namespace galley
