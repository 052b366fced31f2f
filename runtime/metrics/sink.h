// A Sink takes step records. Exporters are sinks; they live in trainerd.
#pragma once

#include <string>

#include "absl/status/status.h"
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
};

}  // namespace galley::metrics
