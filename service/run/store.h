// Runs and their events on disk: SQLite in WAL mode with full synchronisation. Every write is one transaction
// that appends an event and moves the row, and is durable when the call returns. Not thread-safe: the
// controller holds one lock over it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/run/apply.h"
#include "service/run/event.h"
#include "service/run/run.h"

namespace galley::service {

inline constexpr int kSchemaVersion = 2;

class Store {
 public:
  // Makes `state_dir` (0700), takes its lock, opens or makes galley.db in it; one of an older schema is
  // brought to this one. kFailedPrecondition when another controller holds the lock (with its pid), or when
  // the schema is newer than this program.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& state_dir);
  virtual ~Store() = default;

  struct Created {
    Run run;
    bool existed = false;  // the idempotency key was known: nothing was made
  };
  // Stores a new run in ACCEPTED with its first event. kAlreadyExists when the id or the run directory is
  // taken by another run.
  virtual absl::StatusOr<Created> Create(Run run, const std::string& idempotency_key, absl::Time now) = 0;

  // Keeps the plan that was derived from the run's recipe; Create keeps its run's. A run comes with the plan
  // that is kept; where none is, or one of another kRunPlanVersion, its `version` says so.
  virtual absl::Status KeepPlan(const std::string& id, const RunPlan& plan) = 0;

  // The run that was created with this key. kNotFound.
  virtual absl::StatusOr<Run> FindByKey(const std::string& idempotency_key) const = 0;

  // service::Apply on the stored row. kNotFound, or what Apply says.
  virtual absl::StatusOr<Applied> Apply(const std::string& id, const Event& event, absl::Time now) = 0;

  virtual absl::StatusOr<Run> Get(const std::string& id) const = 0;
  // An id, a unique prefix of one (4 characters or more), a run directory, or a name (the newest run of that
  // name). kNotFound; kInvalidArgument when a prefix fits several.
  virtual absl::StatusOr<Run> Resolve(const std::string& reference) const = 0;
  virtual absl::StatusOr<std::vector<Run>> List() const = 0;  // newest first
  // Events with seq > since, in order.
  virtual absl::StatusOr<std::vector<EventRecord>> Events(const std::string& id, int64_t since) const = 0;
};

}  // namespace galley::service
