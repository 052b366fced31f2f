#include "service/node/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/link/frame.h"

namespace galley::service {
namespace {

constexpr size_t kRewriteBytes = size_t{4} << 20;  // of acknowledged reports still in the file

std::string Encode(const v1::NodeReport& report) {
  return link::EncodeFrame(link::FrameKind::kReport, report.sequence(), report.SerializeAsString());
}

}  // namespace

absl::StatusOr<Spool> Spool::Open(const std::string& path, size_t max_bytes) {
  std::string bytes;
  if (FileExists(path)) {
    ASSIGN_OR_RETURN(bytes, ReadFile(path));
  }
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, path);
  Spool spool(fd, path, max_bytes);
  link::FrameReader reader;
  reader.Append(bytes);
  for (;;) {
    absl::StatusOr<std::optional<link::Frame>> frame = reader.Next();
    if (!frame.ok() || !frame->has_value()) break;
    v1::NodeReport report;
    if (!report.ParseFromString((*frame)->payload)) break;
    report.set_sequence(spool.next_++);
    spool.pending_bytes_ += report.ByteSizeLong();
    spool.pending_.push_back(std::move(report));
  }
  RETURN_IF_ERROR(spool.Rewrite());
  return spool;
}

Spool::Spool(Spool&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      max_bytes_(other.max_bytes_),
      pending_(std::move(other.pending_)),
      pending_bytes_(other.pending_bytes_),
      file_bytes_(other.file_bytes_),
      next_(other.next_) {}

Spool::~Spool() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status Spool::Write(const v1::NodeReport& report, bool sync) {
  const std::string frame = Encode(report);
  ssize_t n;
  do {
    n = ::write(fd_, frame.data(), frame.size());
  } while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(frame.size())) {
    const int error = n < 0 ? errno : ENOSPC;
    if (n > 0) (void)!::ftruncate(fd_, static_cast<off_t>(file_bytes_));
    return ErrnoStatus(error, path_);
  }
  file_bytes_ += frame.size();
  if (sync && ::fdatasync(fd_) != 0) return ErrnoStatus(errno, path_);
  return absl::OkStatus();
}

absl::Status Spool::Rewrite() {
  std::string all;
  for (const v1::NodeReport& report : pending_) all += Encode(report);
  RETURN_IF_ERROR(AtomicWrite(path_, all, 0600));
  const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path_);
  ::close(std::exchange(fd_, fd));
  file_bytes_ = all.size();
  return absl::OkStatus();
}

const v1::NodeReport* Spool::Append(v1::NodeReport report, Keep keep) {
  report.set_sequence(next_);
  const size_t bytes = report.ByteSizeLong();
  if (keep == Keep::kWritten && pending_bytes_ + bytes > max_bytes_) {
    LogWarning(path_, ": full with ", pending_bytes_,
               " bytes while the controller is away; a report is dropped");
    return nullptr;
  }
  ++next_;
  absl::Status status = Write(report, keep == Keep::kSynced);
  if (!status.ok()) LogError("a report for the controller is kept in memory only: ", status.message());
  pending_bytes_ += bytes;
  pending_.push_back(std::move(report));
  return &pending_.back();
}

void Spool::Ack(uint64_t sequence) {
  while (!pending_.empty() && pending_.front().sequence() <= sequence) {
    pending_bytes_ -= pending_.front().ByteSizeLong();
    pending_.pop_front();
  }
  if (pending_.empty()) {
    if (::ftruncate(fd_, 0) == 0) file_bytes_ = 0;
  } else if (file_bytes_ > pending_bytes_ + kRewriteBytes) {
    if (absl::Status status = Rewrite(); !status.ok()) LogError(status.message());
  }
}

}  // namespace galley::service
