// What an attempt is made of: where it starts from, and the orders that start its ranks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "galley/v1/node.pb.h"
#include "runtime/base/mutex.h"
#include "runtime/prepare/prepare.h"
#include "runtime/recipe/spec.h"
#include "service/run/reconciler.h"
#include "service/run/run.h"

namespace galley::service {

// The checkpoint the run's next attempt starts from: the user's choice, else the newest in its folder that
// verifies, else the beginning. Reads and verifies files, so it may take long. kNotFound: the run directory
// is gone. kFailedPrecondition: there are checkpoints and none can be used, with the remedy.
absl::StatusOr<Base> ChooseBase(const Run& run);

// What trainerd is told of an exporter of the recipe.
v1::Exporter ExporterOf(const recipe::Exporter& exporter);

// Recipes of runs, each parsed and planned once for as long as it is kept. Thread-safe.
class PreparedRecipes {
 public:
  using Prepared = std::shared_ptr<const prepare::Prepared>;
  void Keep(const std::string& run_id, Prepared prepared);
  void Forget(const std::string& run_id);
  // kFailedPrecondition: this version cannot prepare the run's recipe.
  absl::StatusOr<Prepared> Of(const Run& run);

 private:
  Mutex mutex_;
  std::map<std::string, Prepared> kept_ ABSL_GUARDED_BY(mutex_);  // by run id: a run's recipe never changes
};

// What the recipe says to the controller.
RunPlan RunPlanOf(const prepare::Prepared& prepared, const std::string& run_dir);

// One order for each node of run.placement, to host its part of run.attempt. The inventory is made of what
// the nodes say of themselves.
struct AttemptOrders {
  int64_t attempt = 0;
  std::map<std::string, v1::EnsureAttempt> by_node;
};
using NodeInfos = std::map<std::string, v1::NodeInfo>;
// kFailedPrecondition: nodes that do not fit together. REQUIRES: an info of each node.
absl::StatusOr<AttemptOrders> MakeAttempt(const Run& run, const prepare::Prepared& prepared,
                                          const NodeInfos& nodes);

}  // namespace galley::service
