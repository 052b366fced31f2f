#include "runtime/train/restore.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::train {
namespace {

absl::StatusOr<RunState> Read(const checkpoint::Manifest& manifest) {
  const checkpoint::Facts& facts = manifest.info.state;
  RunState state;
  ASSIGN_OR_RETURN(state.step, checkpoint::IntFact(facts, "step"));
  ASSIGN_OR_RETURN(state.samples, checkpoint::IntFact(facts, "samples"));
  ASSIGN_OR_RETURN(state.optimizer_step, checkpoint::IntFact(facts, "optimizer_step"));
  ASSIGN_OR_RETURN(state.recipe_hash, checkpoint::TextFact(facts, "recipe_hash"));
  ASSIGN_OR_RETURN(state.data_plan, checkpoint::TextFact(facts, "data_plan"));
  if (state.step != manifest.info.step || state.samples < 0 || state.optimizer_step < 0) {
    return absl::DataLossError(absl::StrCat("state: step ", state.step, " of a checkpoint of step ",
                                            manifest.info.step, ", ", state.samples, " samples, ",
                                            state.optimizer_step, " updates; load an older checkpoint"));
  }
  return state;
}

}  // namespace

checkpoint::ManifestInfo ToManifest(const RunState& state, int64_t attempt, const checkpoint::Facts& origin) {
  checkpoint::ManifestInfo info;
  info.step = state.step;
  info.attempt = attempt;
  info.state = {{"step", checkpoint::Fact(state.step)},
                {"samples", checkpoint::Fact(state.samples)},
                {"optimizer_step", checkpoint::Fact(state.optimizer_step)},
                {"recipe_hash", checkpoint::Fact(state.recipe_hash)},
                {"data_plan", checkpoint::Fact(state.data_plan)}};
  info.origin = origin;
  return info;
}

void AddLineage(const data::Lineage& lineage, checkpoint::ManifestInfo& info) {
  info.state["tokens"] = checkpoint::Fact(lineage.tokens);
  info.state["lineage"] = data::ToJson(lineage);
}

absl::StatusOr<RunState> FromManifest(const checkpoint::Manifest& manifest, const std::string& path) {
  auto state = Read(manifest);
  if (!state.ok()) return Annotate(state.status(), absl::StrCat(path, "/manifest.json"));
  return state;
}

}  // namespace galley::train
