// Logging to stderr, one line a message: "2026-11-21T02:10:11.123Z I rank: text". Never called on a hot path.
#pragma once

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace galley {

enum class LogLevel { kInfo, kWarning, kError };

// Names the process in each line ("trainerd", "rank 3"). Called by main before there is a second thread: the
// logger is replaced without a lock.
void InitLog(absl::string_view process);
void Log(LogLevel level, absl::string_view message);

template <class... A>
void LogInfo(const A&... a) {
  Log(LogLevel::kInfo, absl::StrCat(a...));
}
template <class... A>
void LogWarning(const A&... a) {
  Log(LogLevel::kWarning, absl::StrCat(a...));
}
template <class... A>
void LogError(const A&... a) {
  Log(LogLevel::kError, absl::StrCat(a...));
}

}  // namespace galley
