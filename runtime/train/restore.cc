#include "runtime/train/restore.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::train {
namespace {

absl::StatusOr<std::string> Find(const checkpoint::Manifest& manifest, const std::string& path,
                                 const std::string& key) {
  auto it = manifest.info.state.find(key);
  if (it == manifest.info.state.end()) {
    return absl::DataLossError(
        absl::StrCat(path, "/manifest.json: state.", key, " is missing; load an older checkpoint"));
  }
  return it->second;
}

absl::StatusOr<int64_t> FindNumber(const checkpoint::Manifest& manifest, const std::string& path,
                                   const std::string& key) {
  ASSIGN_OR_RETURN(std::string text, Find(manifest, path, key));
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < 0) {
    return absl::DataLossError(absl::StrCat(path, "/manifest.json: state.", key, " is '", text,
                                            "', not a count; load an older checkpoint"));
  }
  return value;
}

// Values of a manifest are JSON text. A hash has nothing to escape.
absl::StatusOr<std::string> FindWord(const checkpoint::Manifest& manifest, const std::string& path,
                                     const std::string& key) {
  ASSIGN_OR_RETURN(std::string text, Find(manifest, path, key));
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
    return absl::DataLossError(
        absl::StrCat(path, "/manifest.json: state.", key, " is '", text, "', not a text"));
  }
  return text.substr(1, text.size() - 2);
}

}  // namespace

checkpoint::ManifestInfo ToManifest(const RunState& state, int64_t attempt,
                                    const std::map<std::string, std::string>& origin) {
  checkpoint::ManifestInfo info;
  info.step = state.step;
  info.attempt = attempt;
  info.state = {{"step", absl::StrCat(state.step)},
                {"samples", absl::StrCat(state.samples)},
                {"optimizer_step", absl::StrCat(state.optimizer_step)},
                {"recipe_hash", absl::StrCat("\"", state.recipe_hash, "\"")},
                {"data_plan", state.data_plan}};
  info.origin = origin;
  return info;
}

absl::StatusOr<RunState> FromManifest(const checkpoint::Manifest& manifest, const std::string& path) {
  RunState state;
  ASSIGN_OR_RETURN(state.step, FindNumber(manifest, path, "step"));
  ASSIGN_OR_RETURN(state.samples, FindNumber(manifest, path, "samples"));
  ASSIGN_OR_RETURN(state.optimizer_step, FindNumber(manifest, path, "optimizer_step"));
  ASSIGN_OR_RETURN(state.recipe_hash, FindWord(manifest, path, "recipe_hash"));
  ASSIGN_OR_RETURN(state.data_plan, Find(manifest, path, "data_plan"));
  if (state.step != manifest.info.step) {
    return absl::DataLossError(absl::StrCat(path, "/manifest.json: state.step is ", state.step,
                                            " but the step is ", manifest.info.step));
  }
  return state;
}

}  // namespace galley::train
