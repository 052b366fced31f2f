// What the data verbs have in common.
#pragma once

#include <memory>
#include <string>

#include "runtime/tokenizer/tokenizer.h"

namespace galley::trainctl {

// A data set is named by its prefix, or by one of its files.
std::string DatasetPrefixOf(const std::string& path);

// "[###...] 40% what" on stderr: one line drawn over on a terminal; in a log a line every ten seconds.
class ProgressLine {
 public:
  ProgressLine();
  // `done` and `total` in any unit; `seconds` since the beginning.
  void Show(int64_t done, int64_t total, double seconds, const std::string& what);

 private:
  const bool terminal_;
  double next_ = 10;
};

// Moves of bytes: "120.0 MB/s  ETA 0:12".
class ByteProgress {
 public:
  ByteProgress();
  void Show(int64_t bytes, int64_t total);

 private:
  ProgressLine line_;
  const double start_;
};

std::string ClockText(double seconds);  // "0:12", "1:02:03"

}  // namespace galley::trainctl
