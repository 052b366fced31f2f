#include "runtime/data/order/packing.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

// Documents packed together. A part of the order's version: more of them pack tighter, fewer start sooner.
constexpr int64_t kGroup = int64_t{1} << 16;

struct Piece {
  int64_t begin = 0;
  int32_t size = 0;
};

struct Group {
  std::vector<Piece> pieces;  // bin by bin, in the stream's order within a bin
  std::vector<int64_t> ends;  // of each bin, in pieces
};

// Bins by the space that is left in them. A bitmap of what is left finds the best fit in capacity / 64 words
// at most, without a tree's pointers.
class FreeBins {
 public:
  explicit FreeBins(int32_t capacity)
      : bins_(static_cast<size_t>(capacity) + 1), words_(bins_.size() / 64 + 1, 0) {}

  // A bin with the least left that is at least `size`, the newest of those; -1: none.
  int32_t Take(int32_t size, int32_t& left) {
    auto word = static_cast<size_t>(size) / 64;
    uint64_t bits = words_[word] & (~uint64_t{0} << (size % 64));
    while (bits == 0) {
      if (++word == words_.size()) return -1;
      bits = words_[word];
    }
    left = static_cast<int32_t>(word * 64) + std::countr_zero(bits);
    std::vector<int32_t>& of_size = bins_[static_cast<size_t>(left)];
    const int32_t bin = of_size.back();
    of_size.pop_back();
    if (of_size.empty()) words_[word] &= ~(uint64_t{1} << (left % 64));
    return bin;
  }
  void Put(int32_t bin, int32_t left) {
    if (left == 0) return;
    bins_[static_cast<size_t>(left)].push_back(bin);
    words_[static_cast<size_t>(left) / 64] |= uint64_t{1} << (left % 64);
  }

 private:
  std::vector<std::vector<int32_t>> bins_;  // by what is left in them
  std::vector<uint64_t> words_;             // bit r: bins_[r] holds one
};

// Indices of `pieces` from the largest to the smallest, in their order where they are equal.
// By counting: sizes are at most the capacity, and the order of equals must be the same everywhere.
std::vector<int32_t> LargestFirst(const std::vector<Piece>& pieces, int32_t capacity) {
  std::vector<int32_t> at(static_cast<size_t>(capacity) + 2, 0);
  for (const Piece& piece : pieces) ++at[static_cast<size_t>(capacity - piece.size) + 1];
  for (size_t i = 1; i < at.size(); ++i) at[i] += at[i - 1];
  std::vector<int32_t> order(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    order[static_cast<size_t>(at[static_cast<size_t>(capacity - pieces[i].size)]++)] =
        static_cast<int32_t>(i);
  }
  return order;
}

Group Pack(const std::vector<Piece>& pieces, int32_t capacity) {
  FreeBins free(capacity);
  std::vector<int32_t> bin_of(pieces.size());
  Group group;  // ends count pieces first
  for (const int32_t p : LargestFirst(pieces, capacity)) {
    const int32_t size = pieces[static_cast<size_t>(p)].size;
    int32_t left = capacity;
    int32_t bin = free.Take(size, left);
    if (bin < 0) {
      bin = static_cast<int32_t>(group.ends.size());
      group.ends.push_back(0);
      left = capacity;
    }
    free.Put(bin, left - size);
    bin_of[static_cast<size_t>(p)] = bin;
    ++group.ends[static_cast<size_t>(bin)];
  }
  std::vector<int64_t> next(group.ends.size());
  int64_t end = 0;
  for (size_t b = 0; b < group.ends.size(); ++b) {
    next[b] = end;
    end = group.ends[b] += end;
  }
  group.pieces.resize(pieces.size());
  for (size_t p = 0; p < pieces.size(); ++p) {
    group.pieces[static_cast<size_t>(next[static_cast<size_t>(bin_of[p])]++)] = pieces[p];
  }
  return group;
}

absl::StatusOr<int64_t> DocumentBegin(const IndexedDataset& dataset, int64_t document) {
  ASSIGN_OR_RETURN(const Range sequences, dataset.DocumentSequences(document));
  return dataset.TokenBegin(sequences.begin);
}

// The pieces of documents [first, last) inside the stream. A document of more than a bin gives whole windows
// that share a token with the next, as every position but the first is to be predicted.
absl::StatusOr<std::vector<Piece>> Cut(const IndexedDataset& dataset, const Range& stream,
                                       const Range& documents, int32_t capacity) {
  std::vector<Piece> pieces;
  pieces.reserve(static_cast<size_t>(documents.size()));
  ASSIGN_OR_RETURN(int64_t begin, DocumentBegin(dataset, documents.begin));
  for (int64_t document = documents.begin; document < documents.end; ++document) {
    int64_t end = dataset.tokens();
    if (document + 1 < dataset.documents()) {
      ASSIGN_OR_RETURN(end, DocumentBegin(dataset, document + 1));
    }
    if (end < begin) {
      return absl::DataLossError(absl::StrCat(dataset.idx_path(), ": document ", document + 1,
                                              " begins at token ", end,
                                              ", before the one in front of it; the file is damaged: copy or "
                                              "tokenize it anew"));
    }
    int64_t from = std::max(begin, stream.begin);
    const int64_t to = std::min(end, stream.end);
    for (; to - from > capacity; from += capacity - 1) pieces.push_back({from, capacity});
    if (to > from) pieces.push_back({from, static_cast<int32_t>(to - from)});
    begin = end;
  }
  return pieces;
}

// The first document that ends after token `at`, and `documents` when none does.
absl::StatusOr<int64_t> FirstDocument(const IndexedDataset& dataset, int64_t at) {
  int64_t low = 0, high = dataset.documents();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    int64_t end = dataset.tokens();
    if (middle + 1 < dataset.documents()) {
      ASSIGN_OR_RETURN(end, DocumentBegin(dataset, middle + 1));
    }
    if (end > at) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

absl::StatusOr<Packing> Packing::Build(const IndexedDataset& dataset, const Range& stream, int64_t length,
                                       int threads) {
  CHECK(length > 0 && length < INT32_MAX && threads > 0);
  Packing packing;
  if (stream.size() <= 0) return packing;
  const auto capacity = static_cast<int32_t>(length + 1);
  ASSIGN_OR_RETURN(const int64_t first, FirstDocument(dataset, stream.begin));
  ASSIGN_OR_RETURN(int64_t last, FirstDocument(dataset, stream.end - 1));
  last = std::min(last + 1, dataset.documents());
  const auto groups = static_cast<size_t>((last - first + kGroup - 1) / kGroup);
  std::vector<absl::StatusOr<Group>> packed(groups, absl::UnknownError(""));
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t g = next.fetch_add(1); g < groups; g = next.fetch_add(1)) {
      const int64_t begin = first + static_cast<int64_t>(g) * kGroup;
      auto pieces = Cut(dataset, stream, {begin, std::min(begin + kGroup, last)}, capacity);
      if (pieces.ok()) {
        packed[g] = Pack(*pieces, capacity);
      } else {
        packed[g] = pieces.status();
      }
    }
  };
  std::vector<std::thread> pool;
  for (size_t i = 1; i < std::min(groups, static_cast<size_t>(threads)); ++i) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
  for (absl::StatusOr<Group>& group : packed) {
    RETURN_IF_ERROR(group.status());
    const auto base = static_cast<int64_t>(packing.begins_.size());
    for (const Piece& piece : group->pieces) {
      packing.begins_.push_back(piece.begin);
      packing.sizes_.push_back(piece.size);
    }
    for (const int64_t end : group->ends) packing.ends_.push_back(base + end);
    *group = {};
  }
  return packing;
}

void Packing::Append(int64_t bin, std::vector<Range>& ranges) const {
  CHECK(bin >= 0 && bin < bins()) << bin;
  const auto b = static_cast<size_t>(bin);
  for (auto p = static_cast<size_t>(b == 0 ? 0 : ends_[b - 1]); p < static_cast<size_t>(ends_[b]); ++p) {
    ranges.push_back({begins_[p], begins_[p] + sizes_[p]});
  }
}

}  // namespace galley::data
