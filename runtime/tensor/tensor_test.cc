#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/tensor/arena.h"
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
  auto lay = [](Arena& a) {
    View x = a.Take(DType::kF32, {3, 5});
    View y = a.Take(DType::kBF16, {7});
    return std::pair(x, y);
  };
  Arena measure;
  auto [mx, my] = lay(measure);
  EXPECT_EQ(mx.data, nullptr);
  Arena bound{Buffer(measure.used())};
  auto [x, y] = lay(bound);
  EXPECT_EQ(bound.used(), measure.used());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(y.data) % 64, 0u);
  EXPECT_EQ(x.As<float>()[14], 0.0f);
  EXPECT_DEATH(bound.Take(DType::kF32, {1000}), "measuring pass");
}

TEST(View, RowsAndReshape) {
  float data[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  View v(data, DType::kF32, {4, 3});
  EXPECT_EQ(v.Rows(2, 2).As<float>()[0], 6.0f);
  EXPECT_EQ(v.Reshape({2, 6}).shape, Shape({2, 6}));
  EXPECT_EQ(v.shape.ToString(), "(4, 3)");
}

TEST(Scratch, NestsKeepsPointersAndStopsGrowing) {
  CpuStream stream(1);
  auto work = [&] {
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
  int64_t held = stream.scratch_bytes();
  EXPECT_GE(held, 5'000'000 * 4);
  for (int i = 0; i < 5; ++i) work();
  EXPECT_EQ(stream.scratch_bytes(), held);
}

}  // namespace
}  // namespace galley
