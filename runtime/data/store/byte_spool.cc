#include "runtime/data/store/byte_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr size_t kBuffer = 1 << 20;  // what fits makes no file; whole 8 bytes, as ForEach promises

}  // namespace

absl::Status ByteSpool::Add(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return buffer_.size() >= kBuffer ? Flush() : absl::OkStatus();
}

absl::Status ByteSpool::Flush() {
  if (!file_.has_value()) {
    ASSIGN_OR_RETURN(file_, FileWriter::Open(path_, FileWriter::Mode::kTruncate));
  }
  RETURN_IF_ERROR(Annotate(file_->Write(buffer_), absl::StrCat(subject_, ": after offset ", in_file_)));
  in_file_ += static_cast<int64_t>(buffer_.size());
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status ByteSpool::MakeDurable() {
  RETURN_IF_ERROR(Flush());
  return Annotate(file_->Sync(), subject_);
}

absl::Status ByteSpool::Reopen(int64_t bytes) {
  ASSIGN_OR_RETURN(const int64_t size, FileSize(path_));
  if (size < bytes) {
    return absl::DataLossError(absl::StrCat(path_, ": offset ", size, ": the file ends here, and had ", bytes,
                                            " bytes when it was left"));
  }
  // What follows was written after the state that counts `bytes` was saved, and is written again.
  if (::truncate(path_.c_str(), bytes) != 0) return ErrnoStatus(errno, path_);
  ASSIGN_OR_RETURN(file_, FileWriter::Open(path_, FileWriter::Mode::kAppend));
  in_file_ = bytes;
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status ByteSpool::ForEach(const std::function<absl::Status(std::span<const std::byte>)>& use) {
  if (in_file_ > 0) {
    RETURN_IF_ERROR(Flush());
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(errno, path_);
    std::vector<std::byte> piece(kBuffer);
    absl::Status status;
    for (int64_t at = 0; status.ok() && at < in_file_;) {
      const std::span part =
          std::span(piece).first(static_cast<size_t>(std::min<int64_t>(kBuffer, in_file_ - at)));
      const absl::StatusOr<size_t> n = ReadAt(fd, path_, at, part);
      status = n.status();
      if (n.ok() && *n < part.size()) {
        status = absl::DataLossError(absl::StrCat(path_, ": offset ", at + static_cast<int64_t>(*n),
                                                  ": the file ends here; something cut it short"));
      }
      if (status.ok()) status = use(part);
      at += static_cast<int64_t>(part.size());
    }
    ::close(fd);
    return status;
  }
  return buffer_.empty() ? absl::OkStatus() : use(buffer_);
}

void ByteSpool::Remove() {
  file_.reset();
  ::unlink(path_.c_str());
}

}  // namespace galley::data
