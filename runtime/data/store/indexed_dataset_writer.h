// Writes an indexed data set and its metadata.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/file.h"
#include "runtime/data/store/byte_spool.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

// What a resumable writer has on disk.
struct WriterMark {
  int64_t documents = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  BlockSums bin;                                    // the last block may be a part of one
  std::optional<int64_t> ids_below = std::nullopt;  // as DatasetInfo's
  bool operator==(const WriterMark&) const = default;
};

// Streams the tokens under temporary names beside `prefix`; only Publish (or Finish) makes .bin, .galley.json
// and .idx visible, the .idx last, all synced. A writer that is dropped before that leaves nothing, unless
// Keep was called. Memory does not grow with the data. An error names the file and the offset it got to.
class IndexedDatasetWriter {
 public:
  static absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> Create(const std::string& prefix,
                                                                      TokenType type,
                                                                      DatasetOrigin origin = {});
  // Under names that another process finds again: PREFIX.partial.bin and so on. One process at a time.
  static absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> CreateResumable(const std::string& prefix,
                                                                               TokenType type,
                                                                               DatasetOrigin origin);
  // Goes on after `mark`; what was written beyond it is cut off. Also where an earlier process was stopped
  // within Publish. kDataLoss when the files are not those of the mark.
  static absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> Resume(const std::string& prefix,
                                                                      TokenType type, DatasetOrigin origin,
                                                                      const WriterMark& mark);
  ~IndexedDatasetWriter();
  IndexedDatasetWriter(const IndexedDatasetWriter&) = delete;
  IndexedDatasetWriter& operator=(const IndexedDatasetWriter&) = delete;

  // One document of one sequence; no tokens make an empty document (no sequence).
  absl::Status AddDocument(std::span<const int32_t> tokens);
  // Several: document i takes the next lengths[i] tokens.
  absl::Status AddDocuments(std::span<const int32_t> tokens, std::span<const int32_t> lengths);
  // One document of several sequences, each of at least no tokens.
  absl::Status AddSequences(std::span<const int32_t> tokens, std::span<const int32_t> lengths);

  // For copies, each array by itself and in pieces of any size. At the end they must agree.
  absl::Status AddTokenBytes(std::span<const std::byte> bytes);  // whole tokens
  absl::Status AddSequenceLengths(std::span<const int32_t> lengths);
  absl::Status AddDocumentCounts(std::span<const uint32_t> sequences);  // of each document
  absl::Status AddModalities(std::span<const std::byte> modes);         // one a sequence, for all or for none

  absl::StatusOr<WriterMark> MakeDurable();
  void Keep() { keep_ = true; }

  absl::Status Complete();  // everything is on disk, under temporary names
  absl::Status Publish();   // after Complete
  absl::Status Finish();    // both
  void RemoveTemporaries();

  int64_t documents() const { return documents_; }
  int64_t sequences() const { return sequences_; }
  int64_t tokens() const { return tokens_; }
  const std::string& prefix() const { return prefix_; }

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

  static absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> Make(const std::string& prefix, TokenType type,
                                                                    DatasetOrigin origin,
                                                                    std::string temporary);
  IndexedDatasetWriter(std::string prefix, TokenType type, DatasetOrigin origin, std::string temporary,
                       FileWriter bin);
  absl::Status GoOn(const WriterMark& mark, const std::string& bin_path);
  absl::Status WriteTokens(std::span<const int32_t> tokens);
  void Saw(int64_t smallest, int64_t largest);  // ids, for ids_below_
  template <class Id>
  void SawIds(std::span<const std::byte> bytes);
  void SawBytes(std::span<const std::byte> bytes);
  absl::Status WriteIndex(SummedFile& idx);

  std::string prefix_;
  TokenType type_;
  DatasetOrigin origin_;
  std::string temporary_;  // prefix of the temporary names
  SummedFile bin_;
  std::vector<std::byte> buffer_;
  ByteSpool lengths_;  // i32 of every sequence, in tokens
  ByteSpool counts_;   // u32 of every document: its sequences
  ByteSpool modes_;
  int64_t documents_ = 0;
  int64_t sequences_ = 0;
  int64_t tokens_ = 0;
  std::optional<int64_t> ids_below_ = 0;  // as DatasetInfo's, so far
  bool bin_published_ = false;            // by a process that was stopped within Publish
  bool keep_ = false;
  bool finished_ = false;
};

}  // namespace galley::data
