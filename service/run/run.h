// A run's row: everything about it that outlives the controller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "runtime/recipe/spec.h"
#include "service/run/event.h"
#include "service/run/placement.h"
#include "service/run/state.h"

namespace galley::service {

// What the recipe says to the controller once it is parsed and planned. Derived: the row holds the recipe's
// text and none of this. The store keeps it beside the rows, so that a controller starts, and lists ten
// thousand runs, without parsing a recipe; what is missing there is derived anew.
inline constexpr int64_t kRunPlanVersion = 1;  // of the fields below
struct RunPlan {
  int64_t version = 0;  // 0: not derived yet
  std::string recipe_hash;
  std::string plan_hash;       // of the recipe's own launcher section
  std::string checkpoint_dir;  // absolute
  recipe::LauncherKind launcher = recipe::LauncherKind::kLocal;
  int64_t nodes = 1;
  int32_t world = 1;
  int32_t threads_per_rank = 0;  // 0: cores of the node divided by its ranks
  int64_t bytes_per_rank = 0;
  int64_t total_steps = 0;
  int64_t max_failures = 3;
  int64_t exit_duration_seconds = 0;  // 0: none
};

struct Run {
  // Fixed at submission.
  std::string id;
  std::string name;
  std::string run_dir;       // absolute
  std::string recipe;        // canonical text
  std::string root;          // folder that its relative paths mean
  std::string origins_json;  // where each field was written, for faults found later
  int64_t created_unix_ms = 0;
  RunPlan plan;  // of `recipe`

  // Moved by Apply alone.
  RunState state = RunState::kAccepted;
  std::string reason;  // of the state, in words; empty: nothing to say
  int64_t updated_unix_ms = 0;
  int64_t event_seq = 0;        // of the last event
  int64_t attempt = 0;          // the highest one ever planned: the fencing token. 0: none yet
  Placement placement;          // of `attempt`
  std::string base_checkpoint;  // `attempt` starts from it; empty: anew
  // Chosen by a user; stands until a checkpoint is committed. Empty: the newest that verifies.
  std::string next_base;
  StopCause stop = StopCause::kNone;  // of DRAINING and PAUSED
  bool completed = false;             // the last step is done and saved
  Failure failure = Failure::kNone;   // of the last failed attempt
  int64_t failures = 0;               // without progress, in a row
  int64_t best_step = 0;              // highest one any failed attempt reached
  int64_t checkpoint_at_failure = 0;  // last_checkpoint_step at the last failure
  int64_t backoff_ms = 0;             // of RECOVERING
  int64_t step = 0;                   // the last one known durably
  int64_t last_checkpoint_step = 0;   // 0: none
  std::string last_checkpoint_path;
  int64_t session_unix_ms = 0;  // when the first attempt since submit or resume was planned; 0: not yet
  int64_t active_ms = 0;        // wall time of all sessions before this one
  std::optional<double> loss;
  std::optional<double> validation_loss;

  bool live() const { return placement.live(); }  // ranks of `attempt` may exist
};

}  // namespace galley::service
