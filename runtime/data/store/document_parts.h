// Which documents a stretch of a source's token stream is made of.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

struct DocumentPart {
  int64_t document = 0;  // counted from 0
  Range tokens;          // of the document, from its first
  int64_t length = 0;    // of the whole document
  int64_t begin = 0;     // of the part, in the token stream
};

// Parts of `tokens` of the stream, in its order; documents without a token are passed over. O(log documents +
// parts). kDataLoss when the .idx is damaged.
absl::StatusOr<std::vector<DocumentPart>> DocumentsOf(const IndexedDataset& dataset, Range tokens);

}  // namespace galley::data
