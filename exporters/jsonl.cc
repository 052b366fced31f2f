#include "exporters/jsonl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/file_lock.h"
#include "runtime/base/status.h"
#include "runtime/metrics/json_line.h"

namespace galley::exporters {
namespace {

using metrics::StepRecord;

constexpr off_t kMaxLine = 1 << 16;  // ours are below 600 bytes

// The last whole line of the file, and the size of the file up to its newline.
struct Tail {
  std::string line;
  off_t size = 0;
};

absl::StatusOr<Tail> ReadTail(int fd, const std::string& path) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size < 0) return ErrnoStatus(errno, path);
  std::string text(static_cast<size_t>(std::min(size, 2 * kMaxLine)), '\0');
  const ssize_t n = ::pread(fd, text.data(), text.size(), size - static_cast<off_t>(text.size()));
  if (n != static_cast<ssize_t>(text.size())) return ErrnoStatus(n < 0 ? errno : EIO, path);
  const size_t newline = text.rfind('\n');
  if (newline == std::string::npos) {
    if (size > kMaxLine) {
      return absl::DataLossError(
          absl::StrCat(path, ": no line ends in its last ", text.size(), " bytes; move the file away"));
    }
    return Tail{};
  }
  const size_t before = newline == 0 ? std::string::npos : text.rfind('\n', newline - 1);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return Tail{text.substr(begin, newline - begin), size - static_cast<off_t>(text.size() - newline - 1)};
}

class JsonlSink : public metrics::Sink {
 public:
  explicit JsonlSink(std::string path) : path_(std::move(path)) {}
  ~JsonlSink() override { JsonlSink::Rest(); }

  absl::Status Open() {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) return ErrnoStatus(errno, path_);
    absl::Status status = TakeOver();
    if (!status.ok()) Rest();
    return status;
  }

  void Rest() override {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  absl::Status Write(const StepRecord& record) override {
    if (fd_ < 0) RETURN_IF_ERROR(Open());
    const std::pair<int64_t, int64_t> at{record.attempt(), record.step()};
    if (at.first < last_.first) {
      return absl::FailedPreconditionError(absl::StrCat(path_, ": step ", record.step(), " of attempt ",
                                                        at.first, " comes after attempt ", last_.first,
                                                        " and is not recorded"));
    }
    if (at <= last_) return absl::OkStatus();
    const std::string line = absl::StrCat(metrics::JsonLine(record), "\n");
    ssize_t n;
    do {
      n = ::write(fd_, line.data(), line.size());
    } while (n < 0 && errno == EINTR);
    if (n == static_cast<ssize_t>(line.size())) {
      size_ += n;
      last_ = at;
      return absl::OkStatus();
    }
    // A part of a line (a full disk) must not stay in front of the next one.
    const int error = n < 0 ? errno : ENOSPC;
    if (n > 0) (void)!::ftruncate(fd_, size_);
    return Annotate(ErrnoStatus(error, path_), absl::StrCat("step ", record.step(), " is not recorded"));
  }

 private:
  absl::Status TakeOver() {
    if (!LockFile(fd_, path_).ok()) {
      return absl::AlreadyExistsError(
          absl::StrCat(path_, ": another process writes to it; stop the other trainerd of this run"));
    }
    ASSIGN_OR_RETURN(Tail tail, ReadTail(fd_, path_));
    if (!tail.line.empty()) {
      const std::optional<StepRecord> last = metrics::ReadJsonLine(tail.line);
      if (!last.has_value() || !last->Get<"attempt">()) {
        return absl::DataLossError(
            absl::StrCat(path_, ": its last line is no step of metrics.jsonl; move the file away"));
      }
      last_ = {last->attempt(), last->step()};
    }
    if (::ftruncate(fd_, tail.size) != 0) return ErrnoStatus(errno, path_);
    size_ = tail.size;
    return absl::OkStatus();
  }

  const std::string path_;
  int fd_ = -1;  // -1: at rest
  off_t size_ = 0;
  std::pair<int64_t, int64_t> last_{0, 0};  // attempt and step of the last line
};

}  // namespace

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenJsonl(const std::string& path) {
  auto sink = std::make_unique<JsonlSink>(path);
  RETURN_IF_ERROR(sink->Open());
  return sink;
}

}  // namespace galley::exporters
