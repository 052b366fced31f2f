// Watching a run until it stands still: a live line on a terminal, plain lines elsewhere, all on stderr; and
// what Ctrl-C does meanwhile.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/client.h"
#include "service/view/rows.h"

namespace galley::trainctl {

// From the first call on SIGINT, SIGTERM and SIGHUP are taken by Follow alone. Call before any thread starts.
void BlockSignals();

struct FollowOptions {
  // The first signal saves and pauses the run, the second pauses it without a save. False: a signal only ends
  // the watching, and says that the run goes on.
  bool owns_run = false;
  bool show_steps = true;
  absl::Duration timeout = absl::InfiniteDuration();
};

struct Followed {
  v1::RunSummary run;        // how it stands now
  bool interrupted = false;  // a signal came
};

// kDeadlineExceeded when the time is over before the run stands still.
absl::StatusOr<Followed> Follow(Client& client, const std::string& run, const FollowOptions& options);

// The exit code of a run that stands still: 0, 20, 21, 22; PAUSED is 8, or 130 when a signal paused it. A run
// that still moves is 130 after a signal, else 0.
int ExitCodeOf(const Followed& followed);

// Of view::RowOf a run, for every verb that prints one.
const std::vector<Column>& RunColumns();

}  // namespace galley::trainctl
