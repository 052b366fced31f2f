#include "runtime/data/byte_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr size_t kBuffer = 1 << 20;

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
      size_t filled = 0;
      const auto want = static_cast<size_t>(std::min<int64_t>(kBuffer, in_file_ - at));
      while (status.ok() && filled < want) {
        const ssize_t n =
            ::pread(fd, piece.data() + filled, want - filled, at + static_cast<int64_t>(filled));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = ErrnoStatus(errno, path_);
        if (n == 0) {
          status = absl::DataLossError(absl::StrCat(path_, ": offset ", at + static_cast<int64_t>(filled),
                                                    ": the file ends here; something cut it short"));
        }
        if (n > 0) filled += static_cast<size_t>(n);
      }
      if (status.ok()) status = use(std::span<const std::byte>(piece).first(want));
      at += static_cast<int64_t>(want);
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
