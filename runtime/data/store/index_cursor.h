// An .idx read from its beginning to its end, by plain reads: memory does not grow with the data, and a file
// that is cut short meanwhile gives an error, where a map would kill the process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {

// Values of one array of the file, in order.
class IndexArray {
 public:
  IndexArray(std::shared_ptr<const int> fd, std::string path, int64_t begin, int64_t end)
      : fd_(std::move(fd)), path_(std::move(path)), at_(begin), end_(end) {}
  // The next value; only while there is one.
  template <class T>
  absl::StatusOr<T> Next() {
    if (next_ == buffer_.size()) {
      if (absl::Status status = Fill(); !status.ok()) return status;
    }
    T value;
    std::copy_n(buffer_.data() + next_, sizeof(T), reinterpret_cast<std::byte*>(&value));
    next_ += sizeof(T);
    return value;
  }
  int64_t offset() const { return at_ - static_cast<int64_t>(buffer_.size() - next_); }  // of the next value

 private:
  absl::Status Fill();
  std::shared_ptr<const int> fd_;
  std::string path_;
  int64_t at_, end_;  // of what is not in the buffer yet
  std::vector<std::byte> buffer_;
  size_t next_ = 0;
};

// Sequences, documents and modalities side by side.
class IndexCursor {
 public:
  // From document `first` on.
  static absl::StatusOr<IndexCursor> Open(const IndexedDataset& dataset, int64_t first = 0);

  // Sequences of the next document; kDataLoss when the index steps back.
  absl::StatusOr<int64_t> NextDocument();
  // Length of the next sequence in tokens; kDataLoss unless it begins where the one before it ended.
  absl::StatusOr<int32_t> NextSequence();
  absl::StatusOr<std::byte> NextModality() { return modes_.Next<std::byte>(); }
  int64_t first_token() const { return first_token_; }  // of document `first`
  int64_t first_sequence() const { return first_sequence_; }

 private:
  IndexCursor(const IndexedDataset& dataset, const std::shared_ptr<const int>& fd, int64_t first_document,
              int64_t first_sequence, int64_t first_token);
  absl::Status Bad(int64_t offset, absl::string_view what) const;

  std::string path_;
  int64_t sequences_, tokens_, item_;
  int64_t first_sequence_, first_token_;
  IndexArray lengths_, pointers_, documents_, modes_;
  int64_t token_;     // where the next sequence must begin
  int64_t sequence_;  // where the next document begins
};

}  // namespace galley::data
