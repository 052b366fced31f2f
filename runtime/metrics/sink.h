// A Sink takes step records. Exporters are sinks; they live in trainerd.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/metrics/step_record.h"

namespace galley::metrics {

class Sink {
 public:
  virtual ~Sink() = default;
  // Called from one thread, in step order within an attempt. Errors are reported once by the caller, and
  // never stop training.
  virtual absl::Status Write(const StepRecord& record) = 0;
  virtual absl::Status Flush() { return absl::OkStatus(); }
  // Nothing comes for now: let go of what others may want to write (a later Write takes it again).
  virtual void Rest() {}
  virtual void CheckpointCommitted(absl::Time) {}                  // from any thread
  virtual const std::string& address() const { return kNowhere; }  // where it serves; empty: nowhere

 private:
  inline static const std::string kNowhere = {};
};

}  // namespace galley::metrics
