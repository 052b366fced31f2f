#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {
namespace {

constexpr int64_t kBlock = 1 << 20;  // tokens

// The sequence that holds a token, by bisection over the pointers; -1 when the index is not in order.
int64_t SequenceOf(const IndexedDataset& dataset, int64_t token) {
  int64_t low = 0;
  int64_t high = dataset.sequences();
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    const absl::StatusOr<int64_t> begin = dataset.TokenBegin(middle);
    if (!begin.ok()) return -1;
    (*begin <= token ? low : high) = middle;
  }
  return low;
}

absl::Status Outside(const IndexedDataset& dataset, int64_t token, int64_t id, int64_t vocab) {
  return absl::InvalidArgumentError(absl::StrCat(
      dataset.bin_path(), ": offset ", token * ItemSize(dataset.type()), ": token id ", id, " (token ", token,
      ", sequence ", SequenceOf(dataset, token), ") is outside the vocabulary of ", vocab,
      "; raise model.vocab, or tokenize with the model's tokenizer"));
}

// Of `ids`, which begin at token `begin`; there is at least one.
IdRange RangeOf(std::span<const int32_t> ids, int64_t begin) {
  // The values first, by a loop that the compiler makes wide; where they stand is looked for once.
  int32_t smallest = ids[0], largest = ids[0];
  for (const int32_t id : ids) {
    smallest = std::min(smallest, id);
    largest = std::max(largest, id);
  }
  const auto first = [&](int32_t id) {
    return begin + (std::find(ids.begin(), ids.end(), id) - ids.begin());
  };
  return {smallest, first(smallest), largest, first(largest)};
}

// Blocks come in any order: of equal ids the first one stands.
void Widen(IdRange& range, const IdRange& more) {
  const bool none = range.largest < range.smallest;
  if (none || std::pair(more.smallest, more.smallest_at) < std::pair(range.smallest, range.smallest_at)) {
    range.smallest = more.smallest;
    range.smallest_at = more.smallest_at;
  }
  if (none || std::pair(-more.largest, more.largest_at) < std::pair(-range.largest, range.largest_at)) {
    range.largest = more.largest;
    range.largest_at = more.largest_at;
  }
}

}  // namespace

absl::Status CheckIds(const IndexedDataset& dataset, int64_t begin, std::span<const int32_t> ids,
                      int64_t vocab) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab) {
      return Outside(dataset, begin + static_cast<int64_t>(i), ids[i], vocab);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<IdRange> ReadIdRange(const IndexedDataset& dataset, int threads) {
  dataset.Expect(IndexedDataset::Access::kInOrder);
  const int64_t blocks = (dataset.tokens() + kBlock - 1) / kBlock;
  std::atomic<int64_t> next{0};
  Mutex mutex;
  IdRange range;
  int64_t first_bad = blocks;  // of the earliest block with an error: the answer does not depend on threads
  absl::Status status;

  auto work = [&] {
    std::vector<int32_t> tokens(static_cast<size_t>(std::min(kBlock, dataset.tokens())));
    std::vector<std::byte> scratch(tokens.size() * static_cast<size_t>(ItemSize(dataset.type())));
    while (true) {
      const int64_t block = next.fetch_add(1);
      if (block >= blocks) return;
      const int64_t begin = block * kBlock;
      const std::span part =
          std::span(tokens).first(static_cast<size_t>(std::min(kBlock, dataset.tokens() - begin)));
      const absl::Status read = dataset.Read(begin, part, scratch);
      const IdRange found = read.ok() ? RangeOf(part, begin) : IdRange{};
      const MutexLock lock(mutex);
      if (read.ok()) {
        Widen(range, found);
        continue;
      }
      next = blocks;  // later blocks need no look; earlier ones are taken already
      if (block < first_bad) {
        first_bad = block;
        status = read;
      }
      return;
    }
  };
  std::vector<std::thread> pool;
  const int64_t count = std::clamp<int64_t>(threads, 1, std::max<int64_t>(blocks, 1));
  for (int64_t i = 1; i < count; ++i) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
  if (!status.ok()) return status;
  return range;
}

absl::Status CheckIdRange(const IndexedDataset& dataset, const IdRange& range, int64_t vocab) {
  if (range.smallest < 0) return Outside(dataset, range.smallest_at, range.smallest, vocab);
  if (range.largest >= vocab) return Outside(dataset, range.largest_at, range.largest, vocab);
  return absl::OkStatus();
}

}  // namespace galley::data
