// Reports for the controller, kept on disk until it acknowledges them. Numbers are dense from 1 within an
// incarnation of trainerd; what an earlier one left comes first, under new numbers.
//
// The file holds frames of runtime/link (kind report, payload galley.v1.NodeReport). A torn tail is cut off
// when it is opened: only what was never synced can be in it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "galley/v1/node.pb.h"

namespace galley::service {

class Spool {
 public:
  enum class Keep {
    kSynced,   // on disk before Append returns: exit records, committed checkpoints
    kWritten,  // survives the end of trainerd, not of the machine; dropped when the spool is full
  };

  static absl::StatusOr<Spool> Open(const std::string& path, size_t max_bytes = size_t{64} << 20);
  Spool(Spool&& other) noexcept;
  ~Spool();

  // Numbers the report and keeps it; nullptr when it was dropped. The pointer lives until the next Append or
  // Ack. A disk that fails is logged, and the report is kept in memory all the same.
  const v1::NodeReport* Append(v1::NodeReport report, Keep keep);
  void Ack(uint64_t sequence);  // all up to and with this one
  const std::deque<v1::NodeReport>& pending() const { return pending_; }

 private:
  Spool(int fd, std::string path, size_t max_bytes)
      : fd_(fd), path_(std::move(path)), max_bytes_(max_bytes) {}
  absl::Status Write(const v1::NodeReport& report, bool sync);
  absl::Status Rewrite();

  int fd_ = -1;
  std::string path_;
  size_t max_bytes_;
  std::deque<v1::NodeReport> pending_;
  size_t pending_bytes_ = 0;
  size_t file_bytes_ = 0;
  uint64_t next_ = 1;
};

}  // namespace galley::service
