#include <utility>

#include "runtime/base/check.h"
#include "runtime/checkpoint/checkpoint.h"

namespace galley::checkpoint {
namespace {

// Smaller items stay whole: to cut them would even the shards out by less than this.
constexpr int64_t kCutFrom = int64_t{1} << 20;

// Of a scalar one.
int64_t RowsOf(const Item& item) { return item.view.shape.dims() == 0 ? 1 : item.view.shape[0]; }

// Where in the sequence of all bytes rank `rank`'s range begins: near its even share, at a
// row or at the start of an item.
struct Cut {
  size_t item = 0;
  int64_t row = 0;
};
Cut FindCut(const std::vector<Item>& items, int64_t total, int rank, int world) {
  // total * rank may pass 2^63 for absurd sizes only; 128 bits cost nothing here.
  int64_t target = static_cast<int64_t>(static_cast<__int128>(total) * rank / world);
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t bytes = items[i].view.bytes();
    if (target >= bytes) {
      target -= bytes;
      continue;
    }
    if (bytes < kCutFrom || items[i].view.shape.dims() < 2)
      return 2 * target < bytes ? Cut{i, 0} : Cut{i + 1, 0};
    const int64_t row_bytes = bytes / RowsOf(items[i]);
    const int64_t row = (target + row_bytes / 2) / row_bytes;
    return row == RowsOf(items[i]) ? Cut{i + 1, 0} : Cut{i, row};
  }
  return {items.size(), 0};
}

}  // namespace

Item Item::Whole(std::string name, View view) {
  const auto sizes = view.shape.sizes();
  const std::vector<int64_t> shape(sizes.begin(), sizes.end());
  return {.name = std::move(name), .shape = shape, .slice = plan::Slice::Whole(shape), .view = view};
}

std::vector<Item> Share(const std::vector<Item>& items, int rank, int world) {
  CHECK(rank >= 0 && rank < world) << rank << " of " << world;
  const int64_t total = TotalBytes(items);
  const Cut begin = rank == 0 ? Cut{} : FindCut(items, total, rank, world);
  const Cut end = rank + 1 == world ? Cut{items.size(), 0} : FindCut(items, total, rank + 1, world);
  std::vector<Item> out;
  for (size_t i = begin.item; i < items.size() && i <= end.item; ++i) {
    const int64_t from = i == begin.item ? begin.row : 0;
    if (i == end.item && end.row == 0) break;
    Item item = items[i];
    const int64_t to = i == end.item ? end.row : RowsOf(item);
    if (from == to && i == end.item) break;
    if (from != 0 || to != RowsOf(item)) {
      item.slice.begin[0] += from;
      item.slice.size[0] = to - from;
      item.view = item.view.Rows(from, to - from);
    }
    out.push_back(std::move(item));
  }
  return out;
}

int64_t TotalBytes(const std::vector<Item>& items) {
  int64_t bytes = 0;
  for (const Item& item : items) bytes += item.view.bytes();
  return bytes;
}

}  // namespace galley::checkpoint
