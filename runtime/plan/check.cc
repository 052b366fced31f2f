#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "runtime/plan/plan.h"
#include "runtime/recipe/quantity.h"

namespace galley::plan {
namespace {

using recipe::Checker;
using recipe::RecipeSpec;

// Below the bound that BatchRamp's sums stop at, so that a sum that stopped there is refused here.
constexpr int64_t kMostTokens = 1'000'000'000'000'000'000;

void CheckLearningRate(Checker& c, const BatchRamp& ramp) {
  const RecipeSpec& s = c.spec;
  const recipe::LearningRate& spec = s.schedule.lr;
  if (spec.decay == recipe::Decay::kConstant) return;
  const LearningRate lr(spec, s.train.until, ramp);
  const std::string end = spec.decay_until ? "schedule.lr.decay_until" : "train.until";
  if (lr.warmup_samples() >= lr.decay_samples()) {
    c.Error("schedule.lr.warmup",
            absl::StrCat(lr.warmup_samples(), " samples of warm-up leave nothing before ", end, " at ",
                         lr.decay_samples(), " samples"));
    return;
  }
  if (lr.anneal_samples() > lr.decay_samples() - lr.warmup_samples()) {
    c.Error("schedule.lr.wsd_decay",
            absl::StrCat(lr.anneal_samples(), " samples are more than the ",
                         lr.decay_samples() - lr.warmup_samples(), " between the warm-up and ", end));
  }
}

void CheckCheckpoints(Checker& c, const BatchRamp& ramp, int64_t total_steps) {
  const auto& phases = c.spec.checkpoint.every;
  int64_t before = 0;
  for (size_t i = 0; i < phases.size(); ++i) {
    if (!phases[i].until) continue;
    const int64_t until = ramp.Steps(*phases[i].until);
    if (until <= before) {
      c.Error(absl::StrCat("checkpoint.every[", i, "].until"),
              absl::StrCat(recipe::PrintAmount(*phases[i].until), " (step ", until,
                           ") is not after the phase before it (step ", before, ")"));
      return;
    }
    before = until;
  }
  const CheckpointSchedule schedule(c.spec.checkpoint, ramp, total_steps);
  if (static_cast<int64_t>(schedule.SaveSteps().size()) > kMostSaves) {
    c.Error("checkpoint.every", absl::StrCat("makes more than ", kMostSaves, " checkpoints"));
  }
}

void CheckEvaluation(Checker& c, const BatchRamp& ramp, int64_t total_steps) {
  const EvaluationSchedule schedule(c.spec.evaluation, ramp, total_steps);
  const int64_t count = schedule.Count();
  if (count > kMostSaves) {
    c.Error("evaluation.every", absl::StrCat("makes more than ", kMostSaves, " evaluations"));
    return;
  }
  // A forward pass is a third of a training step's work.
  const int64_t sets = c.Sound({"data.split", "data.valid"}) ? recipe::ValidationSets(c.spec.data) : 1;
  const double cost =
      static_cast<double>(count) * static_cast<double>(schedule.samples()) * static_cast<double>(sets) / 3;
  const double share = cost / (cost + static_cast<double>(ramp.SamplesAfter(total_steps)));
  if (share > 0.05) {
    c.Warn("evaluation.samples",
           absl::StrCat("evaluation takes about ", std::lround(share * 100), " % of the run's time (", count,
                        " times ", schedule.samples(), " samples",
                        sets > 1 ? absl::StrCat(" of ", sets, " sets)") : ")"));
  }
}

// Stretches are left out one after the other: a later one may not begin before an earlier one.
void CheckSkip(Checker& c, const BatchRamp& ramp) {
  int64_t before = 0;
  for (size_t i = 0; i < c.spec.data.skip.size(); ++i) {
    const recipe::Skip& skip = c.spec.data.skip[i];
    const std::string path = absl::StrCat("data.skip[", i, "]");
    const int64_t from = ramp.Samples(skip.from);
    if (ramp.Samples(skip.to) <= from) {
      c.Error(path + ".to", absl::StrCat(recipe::PrintAmount(skip.to), " is not after ",
                                         recipe::PrintAmount(skip.from), ", where the stretch begins"));
    } else if (from < before) {
      c.Error(path + ".from",
              absl::StrCat(recipe::PrintAmount(skip.from),
                           " is before the stretch in front of it begins; list them in order"));
    }
    before = std::max(before, from);
  }
}

}  // namespace

void Check(Checker& c) {
  const RecipeSpec& s = c.spec;
  if (!c.Sound({"batch.global", "batch.rampup", "model.context", "train.until"})) return;
  const BatchRamp ramp(s.batch, s.model.context);
  const int64_t total = ramp.TotalSteps(s.train.until);
  if (total < 1) {
    c.Error("train.until", absl::StrCat(recipe::PrintAmount(s.train.until), " is less than one step of ",
                                        ramp.GlobalBatchAt(0), " samples"));
    return;
  }
  if (ramp.TokensAfter(total) > kMostTokens) {
    c.Error("train.until", "makes more than 1e18 tokens");
    return;
  }
  if (c.Sound(
          {"schedule.lr.warmup", "schedule.lr.decay", "schedule.lr.decay_until", "schedule.lr.wsd_decay"})) {
    CheckLearningRate(c, ramp);
  }
  if (c.Sound({"checkpoint.every"})) CheckCheckpoints(c, ramp, total);
  if (c.Sound({"evaluation"})) CheckEvaluation(c, ramp, total);
  if (c.Sound({"data.skip"})) CheckSkip(c, ramp);
}

}  // namespace galley::plan
