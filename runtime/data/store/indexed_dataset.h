// Megatron's indexed token files: PREFIX.idx (what lies where) and PREFIX.bin (the bare tokens).
// Bytes of both: docs/formats/indexed-dataset.md.
//
// A sequence is a run of tokens; a document is a run of sequences (one, unless the text was cut in sentences;
// none, when the text held no token). Writers put sequences down one after the other, so the .bin file is one
// stream of tokens; Galley's order reads windows of that stream.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/file.h"

namespace galley::data {

// The values are the format's codes.
enum class TokenType : uint8_t {
  kU8 = 1,
  kI8 = 2,
  kI16 = 3,
  kI32 = 4,
  kI64 = 5,
  kF64 = 6,
  kF32 = 7,
  kU16 = 8
};
int64_t ItemSize(TokenType type);        // bytes
absl::string_view Name(TokenType type);  // "u16"
TokenType TokenTypeFor(int64_t vocab);   // what a writer picks: u16 below 65500, else i32

// A range of sequences, or of tokens: [begin, end).
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

// Thread-safe once open. The .idx is mapped; tokens are read by pread, since a file that was cut short after
// Open must give an error, where a map would kill the process.
class IndexedDataset {
 public:
  // Takes constant time: checks magic, version, type, the size equation, both ends of the document index and
  // that the last sequence ends where the .bin file does. What lies between is checked as it is read, and
  // wholly by Verify. Errors name file, offset and remedy.
  static absl::StatusOr<IndexedDataset> Open(const std::string& prefix);
  IndexedDataset(IndexedDataset&&) noexcept;
  IndexedDataset& operator=(IndexedDataset&&) noexcept;
  ~IndexedDataset();

  const std::string& prefix() const { return prefix_; }
  std::string idx_path() const { return prefix_ + ".idx"; }
  std::string bin_path() const { return prefix_ + ".bin"; }
  TokenType type() const { return type_; }
  bool multimodal() const { return multimodal_; }  // the .idx ends with a modality per sequence
  int64_t sequences() const { return sequences_; }
  int64_t documents() const { return documents_; }
  int64_t tokens() const { return tokens_; }
  std::span<const std::byte> index_bytes() const { return idx_.bytes(); }  // the whole .idx
  std::span<const std::byte> length_bytes() const;  // i32 of each sequence, in tokens; not aligned

  // Where a sequence lies in the token stream; `sequence` in [0, sequences()].
  absl::StatusOr<int64_t> TokenBegin(int64_t sequence) const;
  absl::StatusOr<Range> SequenceTokens(int64_t sequence) const;  // in the token stream
  absl::StatusOr<Range> DocumentSequences(int64_t document) const;
  absl::StatusOr<Range> DocumentTokens(int64_t document) const;

  // Tokens [begin, begin + out.size()) of the stream, widened. `scratch` is at least
  // out.size() * ItemSize(type()) bytes; nothing is allocated unless it fails. Float types are refused by
  // Open of a training source, and here.
  absl::Status Read(int64_t begin, std::span<int32_t> out, std::span<std::byte> scratch) const;
  absl::StatusOr<std::vector<int32_t>> ReadTokens(Range tokens) const;
  // The .bin file as it is, from byte `offset` on.
  absl::Status ReadBytes(int64_t offset, std::span<std::byte> out) const;

  // Tells the system how the files will be read, so that it reads ahead what is needed and nothing else: in
  // order from one end to the other, or a window here and a window there. A hint, and no more.
  enum class Access { kInOrder, kScattered };
  void Expect(Access access) const;

  // Reads the whole .idx: every pointer is the sum of the lengths before it, documents do not step back.
  absl::Status Verify() const;

  // Hash of sizes, header and the first and last 64 KiB of both files: equal for copies, whatever their path.
  absl::StatusOr<uint64_t> Fingerprint() const;

 private:
  IndexedDataset() = default;
  // Of Open, in this order.
  absl::Status CheckMagic() const;
  absl::Status ReadHeader();
  absl::Status OpenTokens();
  absl::Status CheckSequenceEnds() const;
  absl::Status CheckDocumentEnds() const;
  int32_t LengthAt(int64_t sequence) const;
  int64_t PointerAt(int64_t sequence) const;
  int64_t DocumentAt(int64_t entry) const;

  std::string prefix_;
  MappedFile idx_;
  int bin_ = -1;  // file descriptor
  int64_t bin_bytes_ = 0;
  TokenType type_ = TokenType::kU16;
  bool multimodal_ = false;
  int64_t sequences_ = 0;
  int64_t documents_ = 0;
  int64_t tokens_ = 0;
};

// The smallest and the largest id of a data set, and the first token that is each.
struct IdRange {
  int64_t smallest = 0;
  int64_t smallest_at = 0;
  int64_t largest = -1;  // no tokens: below every id
  int64_t largest_at = 0;
  bool operator==(const IdRange&) const = default;
};
// Reads the whole .bin file with `threads` threads, on which the answer does not depend. Token types that
// hold no ids are refused.
absl::StatusOr<IdRange> ReadIdRange(const IndexedDataset& dataset, int threads);
// Refuses ids outside [0, vocab), with file, sequence and the remedy.
absl::Status CheckIdRange(const IndexedDataset& dataset, const IdRange& range, int64_t vocab);
// Refuses the first of `ids`, which were read from token `begin` on, that is outside [0, vocab).
absl::Status CheckIds(const IndexedDataset& dataset, int64_t begin, std::span<const int32_t> ids,
                      int64_t vocab);

}  // namespace galley::data
