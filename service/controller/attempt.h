// What an attempt is made of: where it starts from, and the order that starts its ranks.
#pragma once

#include "absl/status/statusor.h"
#include "galley/v1/node.pb.h"
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

// The order for a node that hosts every rank of run.attempt. The inventory is made of what the node says of
// itself. An error: the recipe does not fit this node.
absl::StatusOr<v1::EnsureAttempt> MakeAttempt(const Run& run, const v1::NodeInfo& node);

}  // namespace galley::service
