// A private run whose daemons have ended, as its run directory tells it (docs/formats/run-directory.md): the
// answers a controller would give, from files alone.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/prepare/prepare.h"
#include "service/trainctl/private/client.h"
#include "service/trainctl/private/private_service.h"

namespace galley::trainctl {

// Get, Checkpoints, Events, Logs and Watch (which ends at once) read; all else is kUnavailable and says how
// to go on. Without result.json (the daemons were killed) the state is the last event's, and the reason says
// so. Half-written last lines are left out.
std::unique_ptr<Client> OpenStored(const PrivateRun& run);

// "run k3q7 (tiny) in /... has no daemons now; go on with: trainctl resume k3q7"
absl::Status NoDaemons(const PrivateRun& run);

// A run directory's recipe.yaml, prepared: `prepared` is present. kInternal: this version cannot read it.
absl::StatusOr<prepare::PrepareResult> ReadRunRecipe(const std::string& run_dir);
// Where a run of that recipe saves.
std::string CheckpointFolder(const recipe::RecipeSpec& spec, const std::string& run_dir);

}  // namespace galley::trainctl
