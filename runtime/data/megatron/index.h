// The indices of one source in Megatron-Core's GPTDataset: documents in shuffled order, cut every T tokens
// into samples, the samples shuffled once more. Rules: docs/formats/data-order.md.
//
// "Document" is Megatron's word there for what the data set calls a sequence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/megatron/epochs.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

// The lengths of all sequences of a data set, where they lie in the .idx (unaligned).
class SequenceLengths {
 public:
  SequenceLengths() = default;
  explicit SequenceLengths(std::span<const std::byte> bytes) : bytes_(bytes) {}
  int64_t size() const { return static_cast<int64_t>(bytes_.size() / sizeof(int32_t)); }
  int32_t operator[](int64_t sequence) const {
    int32_t length;
    std::memcpy(&length, bytes_.data() + sequence * static_cast<int64_t>(sizeof(length)), sizeof(length));
    return length;
  }
  const std::byte* Address(int64_t sequence) const {
    return bytes_.data() + sequence * static_cast<int64_t>(sizeof(int32_t));
  }

 private:
  std::span<const std::byte> bytes_;
};

// Tokens of a range of sequences; kDataLoss names the first of negative length (by its number).
absl::StatusOr<int64_t> SumLengths(const SequenceLengths& lengths, Range sequences);

// Megatron's sample index, which Galley itself does not need: a row (position in the document index, token
// offset) of each sample and one more, laid out one after the other. REQUIRES: the documents hold all the
// samples; an even number of values, at least 2. Value is int32_t or int64_t.
template <class Value>
void BuildSampleIndex(const SequenceLengths& lengths, std::span<const int32_t> document_index, int64_t length,
                      int threads, std::span<Value> rows);

// Immutable and thread-safe once built. It holds 4 bytes a document and epoch, and 4 bytes a sample; which
// tokens a sample holds is found by bisection, not stored.
class MegatronIndex {
 public:
  // `lengths` must outlive the index; `documents` is the split's range of them. `threads` share what no
  // generator orders. An error when the lengths are not those that `epochs` were planned for.
  static absl::StatusOr<MegatronIndex> Build(const SequenceLengths& lengths, Range documents,
                                             const MegatronEpochs& epochs, int64_t length, uint32_t seed,
                                             int threads);

  // Memory of an index over that many documents.
  static int64_t Bytes(int64_t documents, const MegatronEpochs& epochs);

  int64_t samples() const { return static_cast<int64_t>(shuffle_.size()); }

  struct Part {
    int32_t sequence = 0;
    int32_t offset = 0;  // first token in it
    int64_t count = 0;   // above 0
  };
  // Calls visit(Part) for the parts of `sample` of the shuffled order, in the order they are read; together
  // T + 1 tokens.
  template <class Function>
  void Visit(int64_t sample, Function visit) const;

  // The arrays as Megatron stores them.
  std::span<const int32_t> document_index() const { return document_index_; }
  std::span<const uint32_t> shuffle_index() const { return shuffle_; }

 private:
  // Positions from mark to mark: a quarter of a byte for each, against a walk of 31 lengths at most.
  static constexpr int64_t kMark = 32;

  struct Location {
    int64_t position;  // in the document index
    int64_t offset;    // in that document
  };
  int64_t LengthAt(int64_t position) const {
    return lengths_[document_index_[static_cast<size_t>(position)]];
  }
  int64_t positions() const { return static_cast<int64_t>(document_index_.size()); }
  Location Find(int64_t token) const;  // of the shuffled documents, one after the other
  void Mark(int threads);

  int64_t length_ = 0;
  SequenceLengths lengths_;
  std::vector<int32_t> document_index_;  // sequences of all epochs, shuffled
  std::vector<int64_t> marks_;           // tokens before every kMark-th position, and of all
  std::vector<uint32_t> shuffle_;
};

template <class Function>
void MegatronIndex::Visit(int64_t sample, Function visit) const {
  auto [position, offset] = Find(static_cast<int64_t>(shuffle_[static_cast<size_t>(sample)]) * length_);
  // The bound only matters when the .idx changes under its map.
  for (int64_t need = length_ + 1; need > 0 && position < positions(); ++position, offset = 0) {
    const int64_t count = std::min(LengthAt(position) - offset, need);
    if (count <= 0) continue;
    visit(Part{document_index_[static_cast<size_t>(position)], static_cast<int32_t>(offset), count});
    need -= count;
  }
}

}  // namespace galley::data
