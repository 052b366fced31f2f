#include "service/run/row.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/recipe/kinds.h"

namespace galley::service {
namespace {

using Written = nlohmann::json;

// Of any count: leaves room for what is added to one.
constexpr int64_t kMost = INT64_MAX - (int64_t{1} << 60);
constexpr int32_t kMostRanks = 1 << 20;  // of a run

std::string Dump(const Written& json) { return json.dump(-1, ' ', false, Written::error_handler_t::replace); }

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
  Written& json;
  template <class T>
  void operator()(const char* key, const T& value) {
    json[key] = value;
  }
  void operator()(const char* key, RunState value) { json[key] = std::string(Name(value)); }
  void operator()(const char* key, Failure value) { json[key] = std::string(Name(value)); }
  void operator()(const char* key, StopCause value) { json[key] = std::string(Name(value)); }
  void operator()(const char* key, recipe::LauncherKind value) { json[key] = recipe::NameOf(value); }
  void operator()(const char* key, const std::optional<double>& value) {
    if (value) json[key] = *value;
  }
  void operator()(const char* key, const Placement& placement) {
    Written& nodes = json[key] = Written::array();
    for (const Placement::Node& node : placement.nodes) {
      nodes.push_back({{"name", node.name}, {"ranks", node.ranks}, {"gone", node.gone}});
    }
  }
};

// Takes what is sound. The first key whose value is not is in `damage`, with the value.
struct Take {
  const Json& json;
  std::string damage = "";

  void operator()(const char* key, std::string& value) {
    Each(key, [&](const Json& given) {
      if (!given.is_string()) return false;
      value = given.text;
      return true;
    });
  }
  void operator()(const char* key, bool& value) {
    Each(key, [&](const Json& given) { return TakeBool(given, value); });
  }
  void operator()(const char* key, int64_t& value) {
    Each(key, [&](const Json& given) { return TakeCount(given, kMost, value); });
  }
  void operator()(const char* key, int32_t& value) {
    Each(key, [&](const Json& given) { return TakeCount(given, INT32_MAX, value); });
  }
  void operator()(const char* key, std::optional<double>& value) {
    Each(key, [&](const Json& given) {
      if (given.is_null()) return true;  // a loss that is no number is kept as null
      const std::optional<double> number = given.Number();
      if (number) value = number;
      return number.has_value();
    });
  }
  void operator()(const char* key, RunState& value) { Named(key, value, ParseState); }
  void operator()(const char* key, Failure& value) { Named(key, value, ParseFailure); }
  void operator()(const char* key, StopCause& value) { Named(key, value, ParseCause); }
  void operator()(const char* key, recipe::LauncherKind& value) {
    Each(key, [&](const Json& given) {
      if (!given.is_string()) return false;
      const std::optional<recipe::LauncherKind> known = recipe::LauncherNamed(given.text);
      value = known.value_or(value);
      return known.has_value();
    });
  }
  void operator()(const char* key, Placement& value) {
    Each(key, [&](const Json& given) { return TakePlacement(given, value); });
  }
  void Damaged(const char* key, absl::string_view value) {
    if (damage.empty()) damage = absl::StrCat(key, " is ", value.substr(0, 200));
  }

 private:
  template <class F>
  void Each(const char* key, F take) {
    const Json* const given = json.Find(key);
    if (given != nullptr && !take(*given)) Damaged(key, given->Dump());
  }
  // A row without its state means nothing.
  template <class E>
  void Named(const char* key, E& value, bool (*parse)(absl::string_view, E*)) {
    if (!json.contains(key)) return Damaged(key, "null");
    Each(key, [&](const Json& given) { return given.is_string() && parse(given.text, &value); });
  }

  static bool TakeBool(const Json& given, bool& value) {
    if (given.kind != Json::Kind::kBool) return false;
    value = given.boolean;
    return true;
  }
  // In [0, most]. A number with a fraction or an exponent is none of ours, whatever its value.
  template <class T>
  static bool TakeCount(const Json& given, int64_t most, T& value) {
    if (given.kind != Json::Kind::kInt || given.integer < 0 || given.integer > most) return false;
    value = static_cast<T>(given.integer);
    return true;
  }
  // Each rank has one node, and each node its ranks in rising order.
  static bool TakePlacement(const Json& given, Placement& value) {
    if (!given.is_array()) return false;
    std::set<std::string> names;
    std::set<int32_t> placed;
    for (const Json& each : given.items) {
      const Json *const name = each.Find("name"), *const ranks = each.Find("ranks"),
                        *const gone = each.Find("gone");
      if (name == nullptr || ranks == nullptr || gone == nullptr) return false;
      Placement::Node& node = value.nodes.emplace_back();
      if (!name->is_string() || !ranks->is_array() || !TakeBool(*gone, node.gone)) return false;
      node.name = name->text;
      for (const Json& rank : ranks->items) {
        if (!TakeCount(rank, INT32_MAX, node.ranks.emplace_back())) return false;
        if (!placed.insert(node.ranks.back()).second) return false;
      }
      if (node.name.empty() || node.ranks.empty() || !std::is_sorted(node.ranks.begin(), node.ranks.end()) ||
          !names.insert(node.name).second)
        return false;
    }
    return true;
  }
};

template <class Work>
absl::Status Decode(absl::string_view text, Work work) {
  // A placement has five values for a node with one rank.
  const absl::StatusOr<Json> json = ParseJson(text, {.values = 6 * kMostRanks});
  RETURN_IF_ERROR(json.status());
  if (!json->is_object()) return absl::DataLossError("not a JSON object");
  Take take{*json};
  work(take);
  return take.damage.empty() ? absl::OkStatus() : absl::DataLossError(take.damage);
}

}  // namespace

std::string EncodeRun(const Run& run) {
  Written json = Written::object();
  VisitFields(run, Put{json});
  return Dump(json);
}

absl::StatusOr<Run> DecodeRun(absl::string_view text) {
  Run run;
  RETURN_IF_ERROR(Decode(text, [&](Take& take) { VisitFields(run, take); }));
  return run;
}

std::string EncodePlan(const RunPlan& plan) {
  Written json = Written::object();
  VisitPlan(plan, Put{json});
  return Dump(json);
}

absl::StatusOr<RunPlan> DecodePlan(absl::string_view text) {
  RunPlan plan;
  RETURN_IF_ERROR(Decode(text, [&](Take& take) { VisitPlan(plan, take); }));
  if (plan.nodes < 1 || plan.world < 1) {
    return absl::DataLossError(absl::StrCat(plan.world, " ranks on ", plan.nodes, " nodes"));
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
    if (run.plan.world > kMostRanks) return take.Damaged("world", absl::StrCat(run.plan.world));
    node.gone = !live;
    for (int32_t rank = 0; rank < run.plan.world; ++rank) node.ranks.push_back(rank);
    run.placement.nodes.push_back(std::move(node));
  }));
  return run;
}

}  // namespace galley::service
