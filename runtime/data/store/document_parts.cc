#include "runtime/data/store/document_parts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::data {

absl::StatusOr<std::vector<DocumentPart>> DocumentsOf(const IndexedDataset& dataset, Range tokens) {
  // The first document that ends after the first token.
  int64_t low = 0, high = dataset.documents();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const Range range, dataset.DocumentTokens(middle));
    if (range.end > tokens.begin) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  std::vector<DocumentPart> parts;
  int64_t at = tokens.begin;
  for (int64_t document = low; document < dataset.documents() && at < tokens.end; ++document) {
    ASSIGN_OR_RETURN(const Range range, dataset.DocumentTokens(document));
    if (range.size() == 0) continue;
    if (range.begin > at || range.end <= at) break;
    const int64_t end = std::min(range.end, tokens.end);
    parts.push_back({document, {at - range.begin, end - range.begin}, range.size(), at});
    at = end;
  }
  if (at == tokens.end) return parts;
  return absl::DataLossError(absl::StrCat(dataset.idx_path(), ": no document holds token ", at,
                                          " of the stream; run 'trainctl data verify' on it"));
}

}  // namespace galley::data
