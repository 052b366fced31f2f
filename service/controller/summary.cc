#include "service/controller/summary.h"

#include <algorithm>

#include "runtime/metrics/report.h"
#include "service/run/messages.h"

namespace galley::service {
namespace {

// Median of the last steps: one slow step (a save, an evaluation) moves no forecast.
double TypicalStepSeconds(const Live& live) {
  std::vector<double> seconds;
  const size_t n = std::min<size_t>(live.recent.size(), 32);
  for (size_t i = live.recent.size() - n; i < live.recent.size(); ++i) {
    seconds.push_back(live.recent[i].Get<"step_seconds">().value_or(0));
  }
  std::nth_element(seconds.begin(), seconds.begin() + n / 2, seconds.end());
  return seconds[n / 2];
}

}  // namespace

v1::RunSummary Summarize(const Run& run, const Live* live, const std::string& next, int64_t now_unix_ms) {
  v1::RunSummary s;
  s.set_run_id(run.id);
  s.set_name(run.name);
  s.set_state(ToMessage(run.state));
  s.set_reason(run.reason);
  s.set_attempt(run.attempt);
  s.set_step(run.step);
  s.set_total_steps(run.plan.total_steps);
  s.set_run_dir(run.run_dir);
  s.set_created_unix_ms(run.created_unix_ms);
  s.set_updated_unix_ms(run.updated_unix_ms);
  s.set_next(next);
  s.set_last_checkpoint_step(run.last_checkpoint_step);
  s.set_last_checkpoint_path(run.last_checkpoint_path);
  s.set_recipe_hash(run.plan.recipe_hash);
  s.set_plan_hash(run.plan.plan_hash);
  s.set_stop_cause(ToMessage(run.stop));
  int64_t wall_ms = run.active_ms;
  if (run.session_unix_ms != 0) wall_ms += std::max<int64_t>(0, now_unix_ms - run.session_unix_ms);
  s.set_wall_seconds(static_cast<double>(wall_ms) / 1000);
  metrics::StepRecord latest;
  if (run.loss) latest.Set<"loss">(*run.loss);
  if (run.validation_loss) latest.Set<"validation_loss">(*run.validation_loss);
  if (live != nullptr && live->attempt == run.attempt) {
    latest.Take(live->latest);
    s.set_metrics_address(live->metrics_address);
    s.set_step(std::max(run.step, live->step()));
    if (run.state == RunState::kRunning && !live->recent.empty()) {
      s.set_eta_seconds(TypicalStepSeconds(*live) * static_cast<double>(run.plan.total_steps - s.step()));
    }
  }
  *s.mutable_latest() = metrics::ToReport(latest);
  return s;
}

v1::EventMessage MessageOf(const EventRecord& record) {
  v1::EventMessage m;
  m.set_seq(record.seq);
  m.set_unix_ms(record.unix_ms);
  m.set_kind(ToMessage(record.kind));
  m.set_message(record.message);
  m.set_attempt(record.attempt);
  m.set_from_state(ToMessage(record.from));
  m.set_to_state(ToMessage(record.to));
  return m;
}

}  // namespace galley::service
