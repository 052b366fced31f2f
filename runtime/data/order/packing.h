// Best-fit packing: documents lie whole in samples, and what is left of a sample is padding. Nothing but a
// document longer than a sample is cut. After Ding et al., "Fewer Truncations Improve Language Modeling",
// ICML 2024, section 3, done by groups of documents. Rules: docs/formats/data-order.md.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

// Immutable. 12 bytes a document and 8 a bin.
class Packing {
 public:
  // Packs the documents in tokens `stream` of `dataset` into bins of `length` + 1 tokens; the same for any
  // number of threads. A document that begins before the stream, or ends after it, counts with the part that
  // is inside. kDataLoss names the offset in a damaged .idx.
  static absl::StatusOr<Packing> Build(const IndexedDataset& dataset, const Range& stream, int64_t length,
                                       int threads);

  int64_t bins() const { return static_cast<int64_t>(ends_.size()); }
  // Tokens of bin b in [0, bins()): of at least one document, in the stream's order, none empty, together at
  // most length + 1. Appends to `ranges`.
  void Append(int64_t bin, std::vector<Range>& ranges) const;

 private:
  // Pieces of documents, bin by bin; bin b's end before ends_[b].
  std::vector<int64_t> begins_;
  std::vector<int32_t> sizes_;
  std::vector<int64_t> ends_;
};

}  // namespace galley::data
