// Cuts a stream of text into documents.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/data/ingest/text_input.h"
#include "runtime/data/ingest/tokenize.h"

namespace galley::data {

inline constexpr size_t kMaxDocument = size_t{256} << 20;  // bytes

// Length of the first document of `text`, blank lines after it included; npos when more text must be seen and
// `at_end` is not set. JSONL is cut by kLine with `keep_blank` false: then every line is one of its own.
size_t FirstDocument(absl::string_view text, DocumentUnit unit, bool keep_blank, bool at_end);

// Some whole documents, one after the other.
struct DocumentChunk {
  std::string text;
  std::vector<size_t> ends;  // of each document in `text`
  int64_t first_line = 1;    // number of the first line; kLine with keep_blank false has a line a document
  int64_t next_line = 1;     // of what follows
  int64_t text_end = 0;      // offset of what follows, in the decompressed text of the file
};

// Reads one file, a chunk of about `chunk_bytes` at a time.
class DocumentReader {
 public:
  DocumentReader(std::unique_ptr<TextInput> input, DocumentUnit unit, bool keep_blank,
                 size_t chunk_bytes = 1 << 20);
  // From a document's beginning on, as an earlier reader's chunk ended there.
  absl::Status GoOn(int64_t text_offset, int64_t line);
  // False at the end of the file. Keeps the chunk's buffers.
  absl::StatusOr<bool> Next(DocumentChunk& chunk);
  const TextInput& input() const { return *input_; }

 private:
  absl::Status TooLong(const DocumentChunk& chunk) const;

  std::unique_ptr<TextInput> input_;
  DocumentUnit unit_;
  bool keep_blank_;
  size_t chunk_bytes_;
  std::string rest_;  // read, but not yet a whole document
  bool at_end_ = false;
  int64_t line_ = 1;
  int64_t offset_ = 0;
};

}  // namespace galley::data
