// PREFIX.galley.json, which Galley writes beside a data set: where its tokens come from, and checksums of
// both of its files, which Megatron's format has none of. Text: docs/formats/dataset-info.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/hash.h"
#include "runtime/data/store/indexed_dataset.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::data {

inline constexpr int64_t kSumBlock = 16 << 20;  // bytes

// XXH3-64 of each block of kSumBlock bytes of a file; the last may be shorter.
struct BlockSums {
  int64_t bytes = 0;
  std::vector<uint64_t> blocks;
  bool operator==(const BlockSums&) const = default;
};

class BlockHasher {
 public:
  void Add(std::span<const std::byte> bytes);
  BlockSums SoFar() const;
  // Goes on after the whole blocks of `sums`; what they do not cover is to be added again.
  void Continue(const BlockSums& sums);

 private:
  std::optional<Hasher> hash_;  // of the block in progress
  BlockSums sums_;
};

// What made the tokens.
struct DatasetOrigin {
  std::string tokenizer;    // kind; empty when not known
  std::string fingerprint;  // 16 hex digits, TokenizerFingerprint; empty when not known
  int64_t vocab = 0;        // ids are in [0, vocab); 0 when not known
  std::optional<int32_t> eod;
  bool append_eod = false;              // every document with a token ends with `eod`
  bool add_special_tokens = false;      // every such document has the tokenizer's own frame around it
  bool special_tokens_in_text = false;  // special tokens written in a text became their ids
  bool operator==(const DatasetOrigin&) const = default;
};

struct DatasetInfo {
  DatasetOrigin origin;
  TokenType type = TokenType::kU16;
  int64_t documents = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  // Every id is in [0, ids_below), and one is just below it; 0 when there are no tokens. None when not known:
  // an older writer's, or ids that no vocabulary holds.
  std::optional<int64_t> ids_below = std::nullopt;
  BlockSums idx;
  BlockSums bin;
  bool operator==(const DatasetInfo&) const = default;
};

std::string DatasetInfoPath(const std::string& prefix);  // prefix + ".galley.json"

// The text ends with its own checksum: every flipped bit is noticed. `path` stands in errors.
std::string ToJson(const DatasetInfo& info);
absl::StatusOr<DatasetInfo> ParseDatasetInfo(absl::string_view text, absl::string_view path);

// None when there is no such file: a data set of another tool.
absl::StatusOr<std::optional<DatasetInfo>> ReadDatasetInfo(const std::string& prefix);

// Compares counts and sizes, in constant time: tells a file that was cut, swapped or made anew.
absl::Status CheckDatasetInfo(const IndexedDataset& dataset, const DatasetInfo& info);

// The first block of the .idx that is not what was written, by plain reads.
absl::Status CompareIndexSums(const IndexedDataset& dataset, const BlockSums& sums);

// XXH3-64 over the kind, the bytes of its files and what else decides ids, as 16 hex digits.
absl::StatusOr<std::string> TokenizerFingerprint(const tokenizer::TokenizerSpec& spec);

struct VerifyOptions {
  int64_t vocab = 0;  // 0: by the data set's own metadata, if it has any
  int threads = 1;
  std::string tokenizer_fingerprint = {};  // compared to the metadata's; empty: not
};

struct VerifyReport {
  bool has_info = false;  // else there was nothing to compare the bytes with
  DatasetInfo info;       // counts of the files; origin and sums where has_info
  int64_t vocab = 0;      // the bound that ids were held to; 0: none
  std::vector<absl::Status> faults;
};

// Reads both files wholly: the index's structure, every checksum, every id. At most kMaxFaults are listed;
// each names its file, the offsets and a remedy. The error of a data set that cannot be opened is the status.
inline constexpr size_t kMaxFaults = 100;
absl::StatusOr<VerifyReport> VerifyDataset(const std::string& prefix, const VerifyOptions& options);

}  // namespace galley::data
