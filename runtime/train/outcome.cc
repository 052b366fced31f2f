#include "runtime/train/outcome.h"

#include <string>

namespace galley::train {

v1::Finished Finish(v1::Finished::Outcome outcome, int64_t step, absl::string_view message) {
  v1::Finished out;
  out.set_outcome(outcome);
  out.set_step(step);
  out.set_message(std::string(message));
  return out;
}

v1::Finished FinishFailed(const absl::Status& status, int64_t step) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return Finish(v1::Finished::STORAGE_FULL, step, status.message());
    // What runtime/comm gives for a lost peer, an abort, and ranks that do not come up.
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
      return Finish(v1::Finished::PEER_LOST, step, status.message());
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kPermissionDenied:
      return Finish(v1::Finished::CONFIG, step, status.message());
    default:
      return Finish(v1::Finished::INTERNAL, step, status.message());
  }
}

int ExitCode(v1::Finished::Outcome outcome) {
  switch (outcome) {
    case v1::Finished::COMPLETED:
    case v1::Finished::STOPPED:
      return 0;
    case v1::Finished::PEER_LOST:
      return 75;
    case v1::Finished::CONFIG:
    case v1::Finished::NUMERIC:
      return 93;
    case v1::Finished::STORAGE_FULL:
      return 74;
    default:
      return 1;
  }
}

}  // namespace galley::train
