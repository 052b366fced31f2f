// Where a run's step records go on this node: the exporters of its recipe behind one bus.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "galley/v1/node.pb.h"
#include "runtime/metrics/step_record.h"

namespace galley::service {

class RunSinks {
 public:
  // `problem` is called for each exporter that cannot be opened (the run goes on without it), and on another
  // thread when one begins to fail.
  using OnProblem = std::function<void(const std::string& message)>;
  static std::unique_ptr<RunSinks> Open(const v1::EnsureAttempt& ensure, const std::string& node,
                                        const OnProblem& problem);
  virtual ~RunSinks() = default;  // writes what is left

  // Never blocks. `written` is called on another thread once the step is with every sink.
  virtual void Push(const metrics::StepRecord& step, std::function<void()> written) = 0;
  // `reached` is called on another thread once every step pushed before is with every sink.
  virtual void Mark(std::function<void()> reached) = 0;
  virtual void CheckpointCommitted(absl::Time at) = 0;
  virtual void Rest() = 0;                                 // the attempt is over: files are let go of
  virtual void Drain() = 0;                                // waits until all is written
  virtual const std::string& metrics_address() const = 0;  // of the Prometheus endpoint; empty: none
};

}  // namespace galley::service
