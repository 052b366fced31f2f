#include "service/trainctl/private/own_run.h"

#include <cstdio>

#include "runtime/base/file.h"
#include "service/trainctl/output/curve.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/private/follow.h"
#include "service/view/names.h"

namespace galley::trainctl {

namespace {

// What a person wants to see of a run that has ended here: the curve, and where its things are.
void PrintEnd(const v1::RunSummary& run, const std::string& run_dir) {
  if (const auto curve = LossCurve(JoinPath(run_dir, "metrics.jsonl")); curve.ok()) {
    fprintf(stderr, "\n%s\n", curve->c_str());
  }
  if (run.last_checkpoint_step() > 0) {
    fprintf(stderr, "checkpoint: %s/checkpoints/step-%lld\n", run_dir.c_str(),
            static_cast<long long>(run.last_checkpoint_step()));
  }
  if (!run.metrics_address().empty()) {
    fprintf(stderr, "metrics:    http://%s/metrics, while it ran\n", run.metrics_address().c_str());
  }
}

}  // namespace

int FollowOwnRun(PrivateService& service, const PrivateRun& run, const Globals& globals) {
  FollowOptions options;
  options.owns_run = true;
  absl::StatusOr<Followed> followed = Follow(service.client(), run.run_id, options);
  if (!followed.ok()) return Fail(followed.status());
  const absl::StatusOr<v1::RunSummary> last = service.client().Get(run.run_id);
  PrintRow(globals, RunColumns(), "id", view::RowOf(last.ok() ? *last : followed->run));
  PrintEnd(last.ok() ? *last : followed->run, run.run_dir);
  if (view::IsWaiting(followed->run.state())) {
    fprintf(stderr, "go on with: trainctl resume %s\n", run.run_id.c_str());
  }
  return ExitCodeOf(*followed);
}

}  // namespace galley::trainctl
