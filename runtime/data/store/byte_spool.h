// Bytes that are written once, in order, and read back once, in order: an array of the .idx that is still
// growing. Small ones stay in memory; larger ones get a file, so that memory is bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/file.h"

namespace galley::data {

class ByteSpool {
 public:
  // `path` is made when it is needed; `subject` stands in errors.
  ByteSpool(std::string path, std::string subject) : path_(std::move(path)), subject_(std::move(subject)) {}

  absl::Status Add(std::span<const std::byte> bytes);
  template <class T>
  absl::Status AddValues(std::span<const T> values) {
    return Add(std::as_bytes(values));
  }
  absl::Status MakeDurable();          // all that was added is on disk
  absl::Status Reopen(int64_t bytes);  // goes on after the first `bytes` of the file, which it must have
  // All bytes, in pieces of whole 8 bytes but for the last.
  absl::Status ForEach(const std::function<absl::Status(std::span<const std::byte>)>& use);
  void Remove();
  int64_t bytes() const { return in_file_ + static_cast<int64_t>(buffer_.size()); }

 private:
  absl::Status Flush();

  std::string path_;
  std::string subject_;
  std::optional<FileWriter> file_;
  int64_t in_file_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace galley::data
