#include "service/run/row.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::service {
namespace {

using Json = nlohmann::json;

// The one list of a row's fields, for both directions.
template <class R, class F>
void VisitFields(R& r, F&& f) {
  f("id", r.id);
  f("name", r.name);
  f("run_dir", r.run_dir);
  f("recipe", r.recipe);
  f("root", r.root);
  f("origins", r.origins_json);
  f("created_unix_ms", r.created_unix_ms);
  f("state", r.state);
  f("reason", r.reason);
  f("updated_unix_ms", r.updated_unix_ms);
  f("event_seq", r.event_seq);
  f("attempt", r.attempt);
  f("placement", r.placement);
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

template <class P, class F>
void VisitPlan(P& p, F&& f) {
  f("version", p.version);
  f("recipe_hash", p.recipe_hash);
  f("plan_hash", p.plan_hash);
  f("checkpoint_dir", p.checkpoint_dir);
  f("launcher", p.launcher);
  f("nodes", p.nodes);
  f("world", p.world);
  f("threads_per_rank", p.threads_per_rank);
  f("bytes_per_rank", p.bytes_per_rank);
  f("total_steps", p.total_steps);
  f("max_failures", p.max_failures);
  f("exit_duration_seconds", p.exit_duration_seconds);
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
  void operator()(const char* key, const Placement& placement) {
    Json& nodes = json[key] = Json::array();
    for (const Placement::Node& node : placement.nodes) {
      nodes.push_back({{"name", node.name}, {"ranks", node.ranks}, {"gone", node.gone}});
    }
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
  void operator()(const char* key, Placement& placement) {
    const auto it = json.find(key);
    if (it == json.end()) return;
    for (const Json& node : *it) {
      placement.nodes.push_back({node.at("name").get<std::string>(),
                                 node.at("ranks").get<std::vector<int32_t>>(), node.at("gone").get<bool>()});
    }
  }
  std::string Text(const char* key) { return json.at(key).get<std::string>(); }
};

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

template <class Work>
absl::Status Decode(absl::string_view text, Work work) {
  try {
    const Json json = Json::parse(text.begin(), text.end());
    Take take{json};
    work(take);
    if (take.ok) return absl::OkStatus();
  } catch (const Json::exception& e) {
    return absl::DataLossError(absl::StrCat("stored run: ", e.what()));
  }
  return absl::DataLossError("stored run: a state or cause that this program does not know");
}

}  // namespace

std::string EncodeRun(const Run& run) {
  Json json = Json::object();
  VisitFields(run, Put{json});
  return Dump(json);
}

absl::StatusOr<Run> DecodeRun(absl::string_view text) {
  Run run;
  RETURN_IF_ERROR(Decode(text, [&](Take& take) { VisitFields(run, take); }));
  return run;
}

std::string EncodePlan(const RunPlan& plan) {
  Json json = Json::object();
  VisitPlan(plan, Put{json});
  return Dump(json);
}

absl::StatusOr<RunPlan> DecodePlan(absl::string_view text) {
  RunPlan plan;
  RETURN_IF_ERROR(Decode(text, [&](Take& take) { VisitPlan(plan, take); }));
  if (plan.nodes < 1 || plan.world < 1 || plan.threads_per_rank < 0) {
    return absl::DataLossError(absl::StrCat("stored plan: ", plan.world, " ranks on ", plan.nodes,
                                            " nodes with ", plan.threads_per_rank, " threads each"));
  }
  return plan;
}

absl::StatusOr<Run> DecodeRunOfSchema1(absl::string_view text) {
  Run run;
  RETURN_IF_ERROR(Decode(text, [&](Take& take) {
    VisitFields(run, take);
    VisitPlan(run.plan, take);
    run.plan.version = kRunPlanVersion;
    Placement::Node node;
    bool live = false;
    take("node", node.name);
    take("live", live);
    if (node.name.empty()) return;
    node.gone = !live;
    for (int32_t rank = 0; rank < run.plan.world; ++rank) node.ranks.push_back(rank);
    run.placement.nodes.push_back(std::move(node));
  }));
  return run;
}

}  // namespace galley::service
