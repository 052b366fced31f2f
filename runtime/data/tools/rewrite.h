// Data sets made of data sets: several put together, one cut apart. Tokens and documents keep their order and
// their bytes; memory does not grow with the data.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

struct RewriteProgress {
  int64_t bytes = 0;  // of .bin files
  int64_t total = 0;
};
using OnProgress = std::function<void(const RewriteProgress&)>;

// What came out, one entry a data set.
struct Rewritten {
  std::string prefix;
  int64_t documents = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
};

struct RewriteReport {
  std::vector<Rewritten> outputs;
  TokenType type = TokenType::kU16;
  DatasetOrigin origin;            // empty tokenizer: not known
  std::string unknown;             // a source without metadata, because of which the origin is not known
  bool checksums_compared = true;  // of every source; those of other tools have none
};

// Sources one after the other, as given. Sources of one token type and, where their metadata say so, made by
// one tokenizer in one way (kFailedPrecondition names the first that is not). A source's checksums are
// compared while it is copied: damage is kDataLoss with file and offset, and no output appears.
absl::StatusOr<RewriteReport> MergeDatasets(const std::vector<std::string>& sources,
                                            const std::string& output, const OnProgress& progress = {});

// How a data set is cut. Exactly one is set.
struct Cut {
  std::vector<double> shares = {};  // of the documents, each positive, against their sum
  int64_t parts = 0;                // so many parts of as equal numbers of documents as can be
  int64_t documents = 0;            // so many documents in each part but the last
};

// First document of each part, and the end: round(documents times the shares up to there), halves to even.
// kInvalidArgument when a part would be empty.
absl::StatusOr<std::vector<int64_t>> CutDocuments(int64_t documents, const Cut& cut);

// `prefix_of` names the outputs, given a part's number and
// how many there are. The outputs appear when all are whole.
absl::StatusOr<RewriteReport> SplitDataset(const std::string& source, const Cut& cut,
                                           const std::function<std::string(int64_t, int64_t)>& prefix_of,
                                           const OnProgress& progress = {});

}  // namespace galley::data
