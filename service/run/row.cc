#include "service/run/row.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace galley::service {
namespace {

using Json = nlohmann::json;

// The one list of a row's fields, for both directions.
template <class R, class F>
void VisitFields(R& r, F&& f) {
  f("id", r.id);
  f("name", r.name);
  f("run_dir", r.run_dir);
  f("checkpoint_dir", r.checkpoint_dir);
  f("recipe", r.recipe);
  f("root", r.root);
  f("origins", r.origins_json);
  f("recipe_hash", r.recipe_hash);
  f("plan_hash", r.plan_hash);
  f("total_steps", r.total_steps);
  f("world", r.world);
  f("threads_per_rank", r.threads_per_rank);
  f("bytes_per_rank", r.bytes_per_rank);
  f("hang_seconds", r.hang_seconds);
  f("max_failures", r.max_failures);
  f("exit_duration_seconds", r.exit_duration_seconds);
  f("created_unix_ms", r.created_unix_ms);
  f("state", r.state);
  f("reason", r.reason);
  f("updated_unix_ms", r.updated_unix_ms);
  f("event_seq", r.event_seq);
  f("attempt", r.attempt);
  f("live", r.live);
  f("node", r.node);
  f("base_checkpoint", r.base_checkpoint);
  f("next_base", r.next_base);
  f("stop", r.stop);
  f("completed", r.completed);
  f("failure", r.failure);
  f("failures", r.failures);
  f("best_step", r.best_step);
  f("checkpoint_at_failure", r.checkpoint_at_failure);
  f("backoff_ms", r.backoff_ms);
  f("step", r.step);
  f("last_checkpoint_step", r.last_checkpoint_step);
  f("last_checkpoint_path", r.last_checkpoint_path);
  f("session_unix_ms", r.session_unix_ms);
  f("active_ms", r.active_ms);
  f("loss", r.loss);
  f("validation_loss", r.validation_loss);
}

struct Put {
  Json& json;
  template <class T>
  void operator()(const char* key, const T& value) {
    json[key] = value;
  }
  void operator()(const char* key, RunState value) { json[key] = std::string(Name(value)); }
  void operator()(const char* key, Failure value) { json[key] = std::string(Name(value)); }
  void operator()(const char* key, StopCause value) { json[key] = std::string(Name(value)); }
  void operator()(const char* key, const std::optional<double>& value) {
    if (value) json[key] = *value;
  }
};

struct Take {
  const Json& json;
  bool ok = true;
  template <class T>
  void operator()(const char* key, T& value) {
    if (auto it = json.find(key); it != json.end()) value = it->template get<T>();
  }
  void operator()(const char* key, RunState& value) { ok = ok && ParseState(Text(key), &value); }
  void operator()(const char* key, Failure& value) { ok = ok && ParseFailure(Text(key), &value); }
  void operator()(const char* key, StopCause& value) { ok = ok && ParseCause(Text(key), &value); }
  void operator()(const char* key, std::optional<double>& value) {
    if (auto it = json.find(key); it != json.end() && it->is_number()) value = it->get<double>();
  }
  std::string Text(const char* key) { return json.at(key).get<std::string>(); }
};

}  // namespace

std::string EncodeRun(const Run& run) {
  Json json = Json::object();
  VisitFields(run, Put{json});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Run> DecodeRun(absl::string_view text) {
  try {
    const Json json = Json::parse(text.begin(), text.end());
    Run run;
    Take take{json};
    VisitFields(run, take);
    if (take.ok) return run;
  } catch (const Json::exception& e) {
    return absl::DataLossError(absl::StrCat("stored run: ", e.what()));
  }
  return absl::DataLossError("stored run: a state or cause that this program does not know");
}

}  // namespace galley::service
