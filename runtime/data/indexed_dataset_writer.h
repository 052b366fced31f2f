// Writes an indexed data set and its metadata.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/file.h"
#include "runtime/data/dataset_info.h"
#include "runtime/data/indexed_dataset.h"

namespace galley::data {

// Streams the tokens under temporary names beside `prefix`; only Finish makes .bin, .galley.json and .idx
// visible, the .idx last, all synced. A writer that is dropped before Finish leaves nothing. An error names
// the file and the offset it got to.
class IndexedDatasetWriter {
 public:
  static absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> Create(const std::string& prefix,
                                                                      TokenType type,
                                                                      DatasetOrigin origin = {});
  ~IndexedDatasetWriter();
  IndexedDatasetWriter(const IndexedDatasetWriter&) = delete;
  IndexedDatasetWriter& operator=(const IndexedDatasetWriter&) = delete;

  // One document of one sequence; no tokens make an empty document (no sequence).
  absl::Status AddDocument(std::span<const int32_t> tokens);
  // Several: document i takes the next lengths[i] tokens.
  absl::Status AddDocuments(std::span<const int32_t> tokens, std::span<const int32_t> lengths);
  // One document of several sequences, each of at least no tokens.
  absl::Status AddSequences(std::span<const int32_t> tokens, std::span<const int32_t> lengths);
  absl::Status Finish();

  int64_t documents() const { return static_cast<int64_t>(document_sequences_.size()); }
  int64_t tokens() const { return tokens_; }

 private:
  // A file on its way, its checksums with it. `name` is what it will be called.
  struct SummedFile {
    absl::Status Write(std::span<const std::byte> bytes);
    absl::Status Close();  // synced
    FileWriter file;
    std::string name;
    BlockHasher sums = {};
    int64_t written = 0;
  };

  IndexedDatasetWriter(std::string prefix, TokenType type, DatasetOrigin origin, std::string temporary,
                       FileWriter bin);
  absl::Status WriteTokens(std::span<const int32_t> tokens);
  absl::Status WriteIndex(SummedFile& idx) const;

  std::string prefix_;
  TokenType type_;
  DatasetOrigin origin_;
  std::string temporary_;  // prefix of the temporary names
  SummedFile bin_;
  std::vector<std::byte> buffer_;
  std::vector<int32_t> lengths_;              // of every sequence
  std::vector<uint32_t> document_sequences_;  // sequences of every document
  int64_t tokens_ = 0;
  bool finished_ = false;
};

}  // namespace galley::data
