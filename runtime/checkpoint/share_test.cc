#include <algorithm>
#include <map>

#include "gtest/gtest.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/test_state.h"

namespace galley::checkpoint {
namespace {

int64_t RowsOf(const Item& item) { return item.shape.empty() ? 1 : item.slice.size[0]; }

TEST(Share, EveryRowComesOnceInOrder) {
  TestState state(1);
  for (int world : {1, 2, 3, 5, 7, 64}) {
    std::map<std::string, int64_t> next;
    for (int rank = 0; rank < world; ++rank) {
      for (const Item& item : Share(state.items(), rank, world)) {
        const Item* whole = nullptr;
        for (const Item& candidate : state.items()) {
          if (candidate.name == item.name) whole = &candidate;
        }
        ASSERT_NE(whole, nullptr);
        EXPECT_EQ(item.shape, whole->shape);
        const int64_t row = item.shape.empty() ? 0 : item.slice.begin[0];
        const int64_t rows = RowsOf(item);
        EXPECT_EQ(row, next[item.name]) << item.name << " " << world;
        EXPECT_EQ(static_cast<std::byte*>(item.view.data),
                  static_cast<std::byte*>(whole->view.data) +
                      row * (whole->view.bytes() / std::max<int64_t>(RowsOf(*whole), 1)));
        next[item.name] += rows;
      }
    }
    for (const Item& item : state.items()) EXPECT_EQ(next.at(item.name), RowsOf(item)) << item.name;
  }
}

TEST(Share, IsBalancedToATensorThatStaysWhole) {
  TestState state(1);
  const int64_t total = TotalBytes(state.items());
  for (int world : {2, 3, 4}) {
    for (int rank = 0; rank < world; ++rank) {
      const int64_t mine = TotalBytes(Share(state.items(), rank, world));
      EXPECT_NEAR(static_cast<double>(mine), static_cast<double>(total) / world, 4096)
          << rank << "/" << world;
    }
  }
}

TEST(Share, MoreRanksThanTensorsLeavesSomeWithNothing) {
  std::vector<float> data(6, 1.0F);
  const std::vector<Item> items = {Item::Whole("a", View(data.data(), DType::kF32, {6}))};
  int holders = 0;
  for (int rank = 0; rank < 4; ++rank) holders += static_cast<int>(Share(items, rank, 4).size());
  EXPECT_EQ(holders, 1);
}

}  // namespace
}  // namespace galley::checkpoint
