#include "service/trainctl/data/seen_step.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/prepare/data_config.h"
#include "service/trainctl/private/stored_run.h"

namespace galley::trainctl {

absl::StatusOr<std::unique_ptr<SeenStep>> SeenStep::Open(const std::string& run_dir, int64_t step) {
  ASSIGN_OR_RETURN(const prepare::PrepareResult recipe, ReadRunRecipe(run_dir));
  CHECK(recipe.prepared.has_value()) << run_dir;  // ReadRunRecipe told its faults
  const plan::Plan& plan = recipe.prepared->plan;
  if (step < 1 || step > plan.total_steps) {
    return absl::InvalidArgumentError(
        absl::StrCat("--step: ", run_dir, " has steps 1 to ", plan.total_steps, ", not ", step));
  }
  std::unique_ptr<SeenStep> seen(new SeenStep(recipe.prepared->spec));
  seen->step_ = step;
  seen->samples_ = {plan.batch.SamplesAfter(step - 1), plan.batch.SamplesAfter(step)};
  seen->ranks_ = plan.mesh.data;
  seen->micro_ = plan.batch.micro();
  RETURN_IF_ERROR(seen->ReadMetrics(run_dir));
  RETURN_IF_ERROR(seen->ReadPlan(CheckpointFolder(seen->spec_, run_dir)));
  if (seen->plan_from_.empty()) {
    ASSIGN_OR_RETURN(seen->plan_, data::BuildDataPlan(prepare::DataConfigOf(*recipe.prepared)));
    seen->plan_from_ = JoinPath(run_dir, "recipe.yaml");
  }
  if (seen->plan_.dummy()) {
    return absl::InvalidArgumentError(
        absl::StrCat(run_dir, ": the run trains on dummy data, which are no text"));
  }
  data::SampleOptions options;
  options.index_threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  ASSIGN_OR_RETURN(seen->reader_, data::SampleReader::Open(seen->plan_, options));
  return seen;
}

// The newest checkpoint's: a resume that would have changed the order was refused.
absl::Status SeenStep::ReadPlan(const std::string& folder) {
  for (const checkpoint::Entry& entry : checkpoint::List(folder)) {
    if (!entry.status.ok()) continue;
    ASSIGN_OR_RETURN(const checkpoint::Manifest manifest,
                     checkpoint::Open(entry.path, /*verify_data=*/false));
    const std::string file = JoinPath(entry.path, "manifest.json");
    const absl::StatusOr<std::string> json = checkpoint::TextFact(manifest.info.state, "data_plan");
    if (!json.ok()) return Annotate(json.status(), file);
    absl::StatusOr<data::DataPlan> plan = data::ParseDataPlan(*json);
    if (!plan.ok()) return Annotate(plan.status(), file);
    plan_ = *std::move(plan);
    plan_from_ = file;
    // An attempt may have had other ranks than the recipe has now.
    const absl::StatusOr<int64_t> ranks = checkpoint::IntFact(manifest.info.origin, "ranks");
    if (manifest.info.attempt == attempt_ && ranks.ok() && *ranks > 0) ranks_ = *ranks;
  }
  return absl::OkStatus();
}

absl::Status SeenStep::ReadMetrics(const std::string& run_dir) {
  const std::string path = JoinPath(run_dir, "metrics.jsonl");
  if (!FileExists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const absl::string_view text = file.text();
  // From the end: the last line of a step is that of its last attempt.
  const std::string key = absl::StrCat("\"step\":", step_, ",");
  for (size_t at = text.rfind(key); at != absl::string_view::npos; at = text.rfind(key, at - 1)) {
    const size_t before = text.rfind('\n', at);
    const size_t begin = before == absl::string_view::npos ? 0 : before + 1;
    const absl::string_view line = text.substr(begin, text.find('\n', at) - begin);
    const absl::StatusOr<Json> json = ParseJson(line);
    const Json* const step = json.ok() ? json->Find("step") : nullptr;
    if (step != nullptr && step->kind == Json::Kind::kInt && step->integer == step_) {
      const Json *const attempt = json->Find("attempt"), *const hash = json->Find("samples_hash");
      if (attempt != nullptr && attempt->kind == Json::Kind::kInt) attempt_ = attempt->integer;
      if (hash != nullptr && hash->is_string()) recorded_ = hash->text;
      return absl::OkStatus();
    }
    if (at == 0) break;
  }
  return absl::OkStatus();
}

std::string SeenStep::samples_hash() const {
  return Hex(reader_->order().SamplesHash(samples_.begin, samples_.size()));
}

absl::StatusOr<SeenSample> SeenStep::Read(int64_t position) const {
  SeenSample seen;
  seen.position = position;
  seen.sample = samples_.begin + position;
  seen.rank = RankOf(position);
  seen.micro_batch = position / micro_ / ranks_;
  data::SampleParts located;
  RETURN_IF_ERROR(reader_->order().Locate(seen.sample, located));
  const data::IndexedDataset& source = reader_->sources()[static_cast<size_t>(located.source)];
  seen.source = source.prefix();
  for (const data::Range& range : located.ranges) {
    ASSIGN_OR_RETURN(const std::vector<data::DocumentPart> parts, data::DocumentsOf(source, range));
    for (const data::DocumentPart& part : parts) {
      SeenPart& made = seen.parts.emplace_back();
      made.where = part;
      ASSIGN_OR_RETURN(made.ids, source.ReadTokens({part.begin, part.begin + part.tokens.size()}));
    }
  }
  return seen;
}

}  // namespace galley::trainctl
