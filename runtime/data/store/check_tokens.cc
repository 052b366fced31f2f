#include <algorithm>
#include <atomic>
#include <thread>

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

absl::Status Outside(const IndexedDataset& dataset, int64_t token, int32_t id, int64_t vocab) {
  return absl::InvalidArgumentError(absl::StrCat(
      dataset.bin_path(), ": offset ", token * ItemSize(dataset.type()), ": token id ", id, " (token ", token,
      ", sequence ", SequenceOf(dataset, token), ") is outside the vocabulary of ", vocab,
      "; raise model.vocab, or tokenize with the model's tokenizer"));
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

absl::Status CheckTokenIds(const IndexedDataset& dataset, int64_t vocab, int threads) {
  // No value of the type is outside the vocabulary: the file need not be read.
  if (dataset.type() == TokenType::kU8 && vocab > 0xff) return absl::OkStatus();
  if (dataset.type() == TokenType::kU16 && vocab > 0xffff) return absl::OkStatus();
  dataset.Expect(IndexedDataset::Access::kInOrder);
  const int64_t blocks = (dataset.tokens() + kBlock - 1) / kBlock;
  std::atomic<int64_t> next{0};
  Mutex mutex;
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
      absl::Status read = dataset.Read(begin, part, scratch);
      if (read.ok()) read = CheckIds(dataset, begin, part, vocab);
      if (read.ok()) continue;
      next = blocks;  // later blocks need no look; earlier ones are taken already
      const MutexLock lock(mutex);
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
  return status;
}

}  // namespace galley::data
