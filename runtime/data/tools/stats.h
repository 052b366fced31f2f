// What a data set holds, counted: lengths of documents and how often each token stands in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

// Of documents, in tokens.
struct LengthStats {
  int64_t min = 0;
  int64_t max = 0;
  double mean = 0;
  int64_t median = 0;  // nearest rank: the smallest length that at least half of the documents do not exceed
  int64_t p99 = 0;
  struct Bin {
    int64_t from = 0;  // inclusive
    int64_t to = 0;    // inclusive
    int64_t documents = 0;
    bool operator==(const Bin&) const = default;
  };
  std::vector<Bin> histogram;  // 0, 1, 2-3, 4-7, ... up to the longest
};

struct TokenCount {
  int32_t id = 0;
  int64_t count = 0;
  bool operator==(const TokenCount&) const = default;
};

// How many documents are how long, exactly.
class LengthCounts {
 public:
  void Add(int64_t length);
  void Merge(const LengthCounts& other);
  LengthStats Summary() const;

 private:
  std::vector<int64_t> short_;  // documents of length 0, 1, ...
  std::vector<int64_t> long_;   // lengths from kLong on, one by one: there can be few of them
};

struct DatasetStats {
  std::string prefix;
  TokenType type = TokenType::kU16;
  int64_t documents = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  int64_t empty_documents = 0;
  std::optional<int32_t> eod;  // what documents were held to
  int64_t eod_endings = 0;     // documents whose last token it is
  LengthCounts lengths;
  std::vector<int64_t> counts;  // of id 0, 1, ... up to the largest that occurs
  int64_t outside = 0;          // ids below 0 or from kMaxCountedId on
  int64_t distinct() const;     // ids that occur
  // The most frequent first, the smaller id on ties.
  std::vector<TokenCount> Frequent(size_t most) const;
};
inline constexpr int64_t kMaxCountedId = 1 << 22;

struct StatsOptions {
  std::optional<int32_t> eod = {};  // else the metadata's, if it has any
  int threads = 1;
};

// Reads both files wholly, by plain reads. Memory: 32 MiB a thread and 8 bytes for every document of more
// than a million tokens.
absl::StatusOr<DatasetStats> CountDataset(const std::string& prefix, const StatsOptions& options);

// Adds `part`'s counts: the data sets as one. Its eod stays where the other's is the same.
void Add(const DatasetStats& part, DatasetStats& sum);

}  // namespace galley::data
