// Arrays of whole numbers in numpy's .npy files (format versions 1 to 3), read in pieces.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::data {

struct NpyHeader {
  int item = 0;  // bytes
  bool with_sign = true;
  std::vector<int64_t> shape;  // one or two, row by row
  int64_t values = 0;          // their product
  int64_t data = 0;            // offset of the first value
};

inline constexpr size_t kMaxNpyHeader = 64 << 10;

// `begin`: the file's first bytes, kMaxNpyHeader of them or all. Takes hostile
// bytes. kDataLoss when the file is no such array or not as long as its header
// says; kUnimplemented for other types of items. No path in errors.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view begin, int64_t file_size);

// The file may be cut short while it is read: that is an error, never a crash.
class NpyFile {
 public:
  static absl::StatusOr<NpyFile> Open(const std::string& path);
  NpyFile(NpyFile&& other) noexcept;
  NpyFile& operator=(NpyFile&&) = delete;
  ~NpyFile();

  const std::string& path() const { return path_; }
  const NpyHeader& header() const { return header_; }
  // Values [begin, begin + out.size()), row after row. REQUIRES: that the array has them.
  absl::Status Read(int64_t begin, std::span<int64_t> out) const;

 private:
  NpyFile(std::string path, int file) : path_(std::move(path)), file_(file) {}
  std::string path_;
  int file_ = -1;
  NpyHeader header_;
};

}  // namespace galley::data
