// Text from a file that may be compressed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::data {

class TextInput {
 public:
  // By the name's end: .gz is gzip (any number of members),
  // .zst is zstd (any number of frames), else as it is.
  static absl::StatusOr<std::unique_ptr<TextInput>> Open(const std::string& path);
  virtual ~TextInput() = default;

  // Fills the front of `out`; fewer bytes than asked for only at the end, 0 after it. Damage, a cut end, and
  // a file that grows or shrinks while it is read are kDataLoss with file and offset.
  absl::StatusOr<size_t> Read(std::span<char> out);
  // Goes on `bytes` of text later. Quick in a plain file; a compressed one is decompressed up to there.
  virtual absl::Status Skip(int64_t bytes);
  const std::string& path() const { return path_; }
  int64_t consumed() const { return consumed_; }  // bytes of the file as it lies on disk

 protected:
  TextInput(std::string path, int fd);
  virtual absl::StatusOr<size_t> ReadSome(std::span<char> out) = 0;  // 0 at the end
  absl::StatusOr<size_t> ReadFile(std::span<char> out);              // raw bytes
  absl::StatusOr<int64_t> SeekFile(int64_t bytes);                   // how many it went on
  absl::Status Damaged(absl::string_view what) const;

 private:
  struct Descriptor {
    explicit Descriptor(int fd) : fd(fd) {}
    ~Descriptor();
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int fd;
  };
  std::string path_;
  Descriptor file_;
  int64_t size_ = -1;  // when it was opened; -1 for pipes and the like
  int64_t consumed_ = 0;
};

// `path` without a final .gz or .zst.
absl::string_view WithoutCompression(absl::string_view path);

}  // namespace galley::data
