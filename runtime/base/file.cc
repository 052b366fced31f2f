#include "runtime/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley {
namespace {

absl::Status WriteAll(int fd, const void* data, size_t size, const std::string& path) {
  const char* p = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t n = ::write(fd, p, size);
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, path);
    }
    p += n;
    size -= static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  // Read to the end and not by its size: files of /proc tell none, and a log may grow meanwhile.
  std::string out;
  char buffer[1 << 16];
  for (;;) {
    ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0) {
      if (errno == EINTR) continue;
      int error = errno;
      ::close(fd);
      return ErrnoStatus(error, path);
    }
    if (n == 0) break;
    if (static_cast<int64_t>(out.size()) + n > max_bytes) {
      ::close(fd);
      return absl::OutOfRangeError(absl::StrCat(path, ": longer than ", max_bytes, " bytes"));
    }
    out.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  return out;
}

absl::Status AtomicWrite(const std::string& path, absl::string_view contents, int mode) {
  std::string temporary = absl::StrCat(path, ".tmp.", ::getpid());
  absl::Status status;
  {
    ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Open(temporary, FileWriter::Mode::kTruncate, mode));
    status = writer.Write(contents);
    // Before the rename: a file system may write the new name to disk before the data, and a crash between
    // the two would leave an empty file in place of a good one.
    if (status.ok()) status = writer.Sync();
    if (status.ok()) status = writer.Close();
  }
  if (status.ok()) status = RenameDurably(temporary, path);
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

absl::Status FsyncDir(const std::string& dir) {
  int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, dir);
  int rc = ::fsync(fd);
  int error = errno;
  ::close(fd);
  return rc == 0 ? absl::OkStatus() : ErrnoStatus(error, dir);
}

absl::Status MakeDirs(const std::string& dir, int mode) {
  for (size_t at = 1; at <= dir.size(); ++at) {
    if (at != dir.size() && dir[at] != '/') continue;
    std::string part = dir.substr(0, at);
    if (::mkdir(part.c_str(), static_cast<mode_t>(mode)) == 0) continue;
    // Made first and looked at afterwards: another process may make the same folder at the same time.
    if (errno != EEXIST) return ErrnoStatus(errno, part);
    struct stat st;
    if (::stat(part.c_str(), &st) != 0) return ErrnoStatus(errno, part);
    if (!S_ISDIR(st.st_mode)) return ErrnoStatus(ENOTDIR, part);
  }
  return absl::OkStatus();
}

absl::Status RenameDurably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat(from, " -> ", to));
  // The name is an entry of the folder, which a crash may lose until the folder itself is synced.
  return FsyncDir(DirName(to));
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return ErrnoStatus(error.value(), path);
  return absl::OkStatus();
}

bool FileExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

absl::StatusOr<size_t> ReadAt(int fd, absl::string_view path, int64_t offset, std::span<std::byte> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    const int64_t at = offset + static_cast<int64_t>(filled);
    const ssize_t n = ::pread(fd, out.data() + filled, out.size() - filled, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, absl::StrCat(path, ": read at offset ", at));
    if (n == 0) break;
    filled += static_cast<size_t>(n);
  }
  return filled;
}

absl::StatusOr<int64_t> FileSize(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return ErrnoStatus(errno, path);
  return static_cast<int64_t>(st.st_size);
}

absl::StatusOr<int64_t> FreeBytes(const std::string& path) {
  struct statvfs st;
  if (::statvfs(path.c_str(), &st) != 0) return ErrnoStatus(errno, path);
  return static_cast<int64_t>(st.f_bavail) * static_cast<int64_t>(st.f_frsize);
}

absl::StatusOr<std::vector<std::string>> ListDir(const std::string& dir) {
  DIR* d = ::opendir(dir.c_str());
  if (d == nullptr) return ErrnoStatus(errno, dir);
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(d)) {
    absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(d);
  std::sort(names.begin(), names.end());
  return names;
}

std::string JoinPath(absl::string_view a, absl::string_view b) {
  if (a.empty() || (!b.empty() && b.front() == '/')) return std::string(b);
  if (b.empty()) return std::string(a);
  return a.back() == '/' ? absl::StrCat(a, b) : absl::StrCat(a, "/", b);
}

std::string DirName(absl::string_view path) {
  size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string BaseName(absl::string_view path) {
  size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

absl::StatusOr<std::string> AbsolutePath(const std::string& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return ErrnoStatus(error.value(), path);
  return absolute.lexically_normal().string();
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  struct stat st;
  if (::fstat(fd, &st) != 0) {
    int error = errno;
    ::close(fd);
    return ErrnoStatus(error, path);
  }
  MappedFile file;
  file.size_ = static_cast<size_t>(st.st_size);
  if (file.size_ > 0) {
    void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd, 0);
    int error = errno;
    ::close(fd);
    if (data == MAP_FAILED) return ErrnoStatus(error, path);
    file.data_ = static_cast<const std::byte*>(data);
  } else {
    ::close(fd);
  }
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Forget() const {
  // Of a file map that nobody writes this drops no data: the pages leave our resident set only, and stay in
  // the kernel's cache for whoever reads the file next.
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

absl::StatusOr<FileWriter> FileWriter::Open(const std::string& path, Mode mode, int permissions) {
  int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (mode == Mode::kTruncate ? O_TRUNC : O_APPEND);
  int fd = ::open(path.c_str(), flags, permissions);
  if (fd < 0) return ErrnoStatus(errno, path);
  return FileWriter(fd, path);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status FileWriter::Write(std::span<const std::byte> bytes) {
  return WriteAll(fd_, bytes.data(), bytes.size(), path_);
}

absl::Status FileWriter::Write(absl::string_view text) {
  return WriteAll(fd_, text.data(), text.size(), path_);
}

absl::Status FileWriter::Sync() { return ::fsync(fd_) == 0 ? absl::OkStatus() : ErrnoStatus(errno, path_); }

absl::Status FileWriter::Close() {
  // Linux frees the descriptor even when close fails; a second close could hit another thread's new file.
  int fd = std::exchange(fd_, -1);
  return ::close(fd) == 0 ? absl::OkStatus() : ErrnoStatus(errno, path_);
}

TempDir::TempDir() {
  const char* base = std::getenv("TMPDIR");
  path_ = absl::StrCat(base != nullptr && *base != 0 ? base : "/tmp", "/galley.XXXXXX");
  CHECK(::mkdtemp(path_.data()) != nullptr) << path_;
}

TempDir::~TempDir() { (void)RemoveTree(path_); }

}  // namespace galley
