#include "service/trainctl/data/input.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "runtime/base/clock.h"

namespace galley::trainctl {
namespace {

double Now() { return absl::ToDoubleSeconds(Clock::Real().SinceStart()); }

}  // namespace

std::string DatasetPrefixOf(const std::string& path) {
  absl::string_view prefix = path;
  if (!absl::ConsumeSuffix(&prefix, ".idx")) absl::ConsumeSuffix(&prefix, ".bin");
  return std::string(prefix);
}

std::string ClockText(double seconds) {
  const auto s = static_cast<long long>(seconds + 0.5);
  if (s < 3600) return absl::StrFormat("%d:%02d", s / 60, s % 60);
  return absl::StrFormat("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressLine::Show(int64_t done, int64_t total, double seconds, const std::string& what) {
  if (!terminal_ && seconds < next_) return;
  next_ = seconds + 10;
  constexpr int kWidth = 30;
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const int full = static_cast<int>(share * kWidth);
  const std::string bar =
      std::string(static_cast<size_t>(full), '#') + std::string(static_cast<size_t>(kWidth - full), '.');
  const std::string line = absl::StrFormat("[%s] %3.0f%%  %s", bar, share * 100, what);
  fprintf(stderr, terminal_ ? "\r%s\033[K%s" : "%s%s", line.c_str(), done >= total || !terminal_ ? "\n" : "");
}

ByteProgress::ByteProgress() : start_(Now()) {}

void ByteProgress::Show(int64_t bytes, int64_t total) {
  const double seconds = Now() - start_;
  const double rate = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  const bool done = bytes >= total;
  line_.Show(bytes, total, seconds,
             absl::StrFormat("%.1f MB/s  %s %s", rate / 1e6, done ? "took" : "ETA",
                             ClockText(done       ? seconds
                                       : rate > 0 ? static_cast<double>(total - bytes) / rate
                                                  : 0)));
}

}  // namespace galley::trainctl
