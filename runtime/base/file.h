// Files and folders, with one rule: nothing on disk is ever half-written.
// Every error names the path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley {

// The whole file; kOutOfRange when it is longer than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

// Bytes from `offset` on: as many as `out` holds, or fewer where the file ends. Tells how many.
absl::StatusOr<size_t> ReadAt(int fd, absl::string_view path, int64_t offset, std::span<std::byte> out);

// Temporary sibling, write, fsync, rename over `path`, fsync of the folder.
absl::Status AtomicWrite(const std::string& path, absl::string_view contents, int mode = 0644);

absl::Status FsyncDir(const std::string& dir);
absl::Status MakeDirs(const std::string& dir, int mode = 0755);  // like mkdir -p
absl::Status RenameDurably(const std::string& from,
                           const std::string& to);  // rename, then fsync of to's folder
absl::Status RemoveTree(const std::string& path);   // a missing path is ok
bool FileExists(const std::string& path);
absl::StatusOr<int64_t> FileSize(const std::string& path);
absl::StatusOr<int64_t> FreeBytes(const std::string& path);  // of the file system that holds path
absl::StatusOr<std::vector<std::string>> ListDir(const std::string& dir);  // names, sorted, without . and ..

std::string JoinPath(absl::string_view a, absl::string_view b);  // b alone when b is absolute
std::string DirName(absl::string_view path);                     // "." when there is none
std::string BaseName(absl::string_view path);
absl::StatusOr<std::string> AbsolutePath(
    const std::string& path);  // against the working folder; lexically normal

// A read-only memory map. Movable; unmaps at the end.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  absl::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  // Gives the pages back that were read so far; those needed again are mapped again.
  void Forget() const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Appends to a file by plain writes; Sync is fsync. For files
// that grow as a stream (logs, .bin under its temporary name).
class FileWriter {
 public:
  enum class Mode { kTruncate, kAppend };
  static absl::StatusOr<FileWriter> Open(const std::string& path, Mode mode, int permissions = 0644);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&& other) noexcept;
  ~FileWriter();

  absl::Status Write(std::span<const std::byte> bytes);
  absl::Status Write(absl::string_view text);
  absl::Status Sync();
  absl::Status Close();  // reports what close(2) says; the destructor ignores it

 private:
  FileWriter(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::string path_;
};

// A folder under $TMPDIR or /tmp that is removed with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace galley
