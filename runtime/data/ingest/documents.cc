#include "runtime/data/ingest/documents.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::data {

size_t FirstDocument(absl::string_view text, DocumentUnit unit, bool keep_blank, bool at_end) {
  const size_t unknown = at_end ? text.size() : absl::string_view::npos;
  if (unit == DocumentUnit::kFile) return unknown;
  bool has_text = false;
  bool has_blank = false;  // after the text
  for (size_t begin = 0; begin < text.size();) {
    const size_t first = text.find_first_not_of(" \t\r", begin);
    if (first == absl::string_view::npos) return unknown;
    const bool blank = text[first] == '\n';
    if (!blank && has_text && (unit == DocumentUnit::kLine || has_blank)) return begin;
    has_text = has_text || !blank;
    has_blank = has_text && blank;
    const size_t end = text.find('\n', first);
    if (end == absl::string_view::npos) return unknown;
    begin = end + 1;
    if (!keep_blank) return begin;
  }
  return unknown;
}

DocumentReader::DocumentReader(std::unique_ptr<TextInput> input, DocumentUnit unit, bool keep_blank,
                               size_t chunk_bytes)
    : input_(std::move(input)), unit_(unit), keep_blank_(keep_blank), chunk_bytes_(chunk_bytes) {}

absl::Status DocumentReader::TooLong(const DocumentChunk& chunk) const {
  return absl::ResourceExhaustedError(absl::StrCat(
      input_->path(), ": a document of more than ", kMaxDocument >> 20, " MiB",
      keep_blank_ ? "" : absl::StrCat(" at line ", line_ + static_cast<int64_t>(chunk.ends.size())),
      "; cut it into smaller ones (--document line or paragraph)"));
}

absl::Status DocumentReader::GoOn(int64_t text_offset, int64_t line) {
  RETURN_IF_ERROR(input_->Skip(text_offset));
  offset_ = text_offset;
  line_ = line;
  return absl::OkStatus();
}

absl::StatusOr<bool> DocumentReader::Next(DocumentChunk& chunk) {
  chunk.text.swap(rest_);
  rest_.clear();
  chunk.ends.clear();
  chunk.first_line = line_;
  while (true) {
    if (!at_end_) {
      // Doubling keeps the search for the end of a long document linear.
      const size_t have = chunk.text.size();
      const size_t want = std::max(chunk_bytes_, have);
      chunk.text.resize(have + want);
      ASSIGN_OR_RETURN(const size_t got, input_->Read(std::span(chunk.text).subspan(have)));
      chunk.text.resize(have + got);
      at_end_ = got < want;
    }
    size_t at = 0;
    while (at < chunk.text.size()) {
      const size_t length =
          FirstDocument(absl::string_view(chunk.text).substr(at), unit_, keep_blank_, at_end_);
      if (length == absl::string_view::npos) break;
      if (length > kMaxDocument) return TooLong(chunk);
      at += length;
      chunk.ends.push_back(at);
    }
    if (chunk.text.size() - at > kMaxDocument) return TooLong(chunk);
    if (chunk.ends.empty() && !at_end_) continue;
    rest_.assign(chunk.text, at, std::string::npos);
    chunk.text.resize(at);
    line_ += std::count(chunk.text.begin(), chunk.text.end(), '\n');
    offset_ += static_cast<int64_t>(at);
    chunk.next_line = line_;
    chunk.text_end = offset_;
    return !chunk.ends.empty();
  }
}

}  // namespace galley::data
