#include "service/controller/logs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"

namespace galley::service {
namespace {

constexpr size_t kChunk = 64 << 10;

}  // namespace

bool ParseLogName(const std::string& name, LogFile* file) {
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, "attempt-") || !absl::ConsumeSuffix(&rest, ".log")) return false;
  const size_t at = rest.find(".rank-");
  return at != absl::string_view::npos && absl::SimpleAtoi(rest.substr(0, at), &file->attempt) &&
         absl::SimpleAtoi(rest.substr(at + 6), &file->rank);
}

std::vector<LogFile> ListLogs(const std::string& run_dir, int32_t rank, int64_t attempt) {
  const std::string dir = JoinPath(run_dir, "logs");
  std::vector<LogFile> files;
  absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
  if (!names.ok()) return files;
  for (const std::string& name : *names) {
    LogFile file;
    if (!ParseLogName(name, &file)) continue;
    if ((rank >= 0 && file.rank != rank) || (attempt > 0 && file.attempt != attempt)) continue;
    file.path = JoinPath(dir, name);
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const LogFile& a, const LogFile& b) {
    return std::make_pair(a.attempt, a.rank) < std::make_pair(b.attempt, b.rank);
  });
  return files;
}

void LogReader::ReadNew(bool last, const std::function<bool(v1::LogChunk)>& give) {
  std::string buffer(kChunk, '\0');
  for (const LogFile& file : ListLogs(run_dir_, rank_, attempt_)) {
    auto known =
        std::find_if(offsets_.begin(), offsets_.end(), [&](const auto& o) { return o.first == file.path; });
    if (known == offsets_.end()) known = offsets_.insert(offsets_.end(), {file.path, 0});
    int64_t& offset = known->second;
    const int fd = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    while (true) {
      const ssize_t n = pread(fd, buffer.data(), buffer.size(), offset);
      if (n <= 0) break;
      size_t whole = buffer.rfind('\n', static_cast<size_t>(n) - 1);
      whole = whole == std::string::npos ? 0 : whole + 1;
      // A line longer than the buffer is given in pieces; one that is still being written waits.
      if (whole == 0 && (last || static_cast<size_t>(n) == kChunk)) whole = static_cast<size_t>(n);
      if (last && static_cast<size_t>(n) < kChunk) whole = static_cast<size_t>(n);
      if (whole == 0) break;
      v1::LogChunk chunk;
      chunk.set_rank(file.rank);
      chunk.set_attempt(file.attempt);
      chunk.set_text(buffer.data(), whole);
      offset += static_cast<int64_t>(whole);
      if (!give(std::move(chunk))) {
        close(fd);
        return;
      }
    }
    close(fd);
  }
}

}  // namespace galley::service
