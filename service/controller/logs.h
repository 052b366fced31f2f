// A run's log files, read as they grow.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "galley/v1/controller.pb.h"

namespace galley::service {

struct LogFile {
  int64_t attempt = 0;
  int32_t rank = 0;
  std::string path;
};

// "attempt-3.rank-0.log" -> {3, 0}. False for any other name.
bool ParseLogName(const std::string& name, LogFile* file);

// Those of the run directory, by attempt, then rank. rank -1: all; attempt 0: all.
std::vector<LogFile> ListLogs(const std::string& run_dir, int32_t rank, int64_t attempt);

// Reads the files of a run from where it stands to their ends, in whole lines.
class LogReader {
 public:
  LogReader(std::string run_dir, int32_t rank, int64_t attempt)
      : run_dir_(std::move(run_dir)), rank_(rank), attempt_(attempt) {}
  // Calls `give` with what is new, at most 64 KiB at a time; stops early when it says false. `last`: nothing
  // more will be written, so a last line without an end is given too.
  void ReadNew(bool last, const std::function<bool(v1::LogChunk)>& give);

 private:
  std::string run_dir_;
  int32_t rank_;
  int64_t attempt_;
  std::vector<std::pair<std::string, int64_t>> offsets_;  // path -> bytes given
};

}  // namespace galley::service
