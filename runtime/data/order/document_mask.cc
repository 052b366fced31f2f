#include "runtime/data/order/document_mask.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::data {

absl::Status StartsByIndex(const IndexedDataset& dataset, int64_t begin, std::span<int32_t> starts) {
  const auto count = static_cast<int64_t>(starts.size());
  CHECK(begin >= 0 && count <= dataset.tokens() - begin)
      << begin << " + " << count << " of " << dataset.tokens();
  const auto border = [&](int64_t document) -> absl::StatusOr<int64_t> {
    ASSIGN_OR_RETURN(const Range sequences, dataset.DocumentSequences(document));
    return dataset.TokenBegin(sequences.begin);
  };
  // The first document that begins after `begin`.
  int64_t low = 0, high = dataset.documents();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const int64_t at, border(middle));
    if (at > begin) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  int64_t position = 0, start = 0;
  for (int64_t document = low; document < dataset.documents() && position < count; ++document) {
    ASSIGN_OR_RETURN(const int64_t at, border(document));
    if (at - begin < position) {
      return absl::DataLossError(
          absl::StrCat(dataset.idx_path(), ": document ", document, " begins at token ", at,
                       ", before the one in front of it; the file is damaged: copy or tokenize it anew"));
    }
    const int64_t end = std::min(at - begin, count);
    std::fill(starts.begin() + position, starts.begin() + end, static_cast<int32_t>(start));
    position = start = end;
  }
  std::fill(starts.begin() + position, starts.end(), static_cast<int32_t>(start));
  return absl::OkStatus();
}

void StartsByEod(std::span<const int32_t> tokens, int32_t eod, std::span<int32_t> starts) {
  CHECK_EQ(tokens.size(), starts.size());
  int32_t start = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    starts[i] = start;
    if (tokens[i] == eod) start = static_cast<int32_t>(i) + 1;
  }
}

void PositionsOf(std::span<const int32_t> starts, std::span<int32_t> positions) {
  CHECK_EQ(starts.size(), positions.size());
  for (size_t i = 0; i < starts.size(); ++i) positions[i] = static_cast<int32_t>(i) - starts[i];
}

void MaskLastPositions(std::span<const int32_t> starts, std::span<int32_t> labels) {
  CHECK_EQ(starts.size(), labels.size() + 1);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (starts[i + 1] == static_cast<int32_t>(i) + 1) labels[i] = -1;
  }
}

}  // namespace galley::data
