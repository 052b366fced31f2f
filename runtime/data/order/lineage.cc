#include "runtime/data/order/lineage.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

using Json = nlohmann::ordered_json;

// How many epochs end with or before draw `end`, and how many draws come after those.
void SetPosition(const DataPlan& plan, size_t source, SourceLineage& lineage) {
  lineage.position = lineage.draws.empty() ? 0 : lineage.draws.back().end;
  if (!plan.megatron()) {
    const int64_t windows = plan.Windows(static_cast<int64_t>(source), Split::kTrain);
    lineage.epochs = lineage.position / windows;
    lineage.position %= windows;
    return;
  }
  // Epochs that were shuffled together end together.
  const MegatronEpochs& epochs = plan.sources[source].epochs[0];
  if (lineage.position >= epochs.samples) {
    lineage.epochs = epochs.epochs;
    lineage.position -= epochs.samples;
  } else if (epochs.separate_last && lineage.position >= epochs.before_last) {
    lineage.epochs = epochs.epochs - 1;
    lineage.position -= epochs.before_last;
  }
}

absl::Status Bad(absl::string_view what) { return absl::DataLossError(absl::StrCat("lineage: ", what)); }

absl::StatusOr<int64_t> Count(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_unsigned() || found->get<uint64_t>() > INT64_MAX) {
    return Bad(absl::StrCat(key, " is missing or no count"));
  }
  return found->get<int64_t>();
}

absl::StatusOr<std::string> Text(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return Bad(absl::StrCat(key, " is missing or no text"));
  return found->get<std::string>();
}

absl::StatusOr<SourceLineage> ParseSource(const Json& json) {
  if (!json.is_object()) return Bad("a source is no object");
  SourceLineage source;
  ASSIGN_OR_RETURN(source.path, Text(json, "path"));
  ASSIGN_OR_RETURN(source.fingerprint, Text(json, "fingerprint"));
  ASSIGN_OR_RETURN(source.samples, Count(json, "samples"));
  ASSIGN_OR_RETURN(source.tokens, Count(json, "tokens"));
  ASSIGN_OR_RETURN(source.epochs, Count(json, "epochs"));
  ASSIGN_OR_RETURN(source.position, Count(json, "position"));
  const auto draws = json.find("draws");
  if (draws == json.end() || !draws->is_array()) return Bad("draws is missing or no list");
  int64_t last = -1;
  for (const Json& range : *draws) {
    if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() ||
        !range[1].is_number_unsigned() || range[1].get<uint64_t>() > INT64_MAX) {
      return Bad("draws holds what is no range");
    }
    source.draws.push_back({range[0].get<int64_t>(), range[1].get<int64_t>()});
    if (source.draws.back().begin <= last || source.draws.back().size() <= 0) return Bad("draws steps back");
    last = source.draws.back().end;
  }
  return source;
}

}  // namespace

Lineage MakeLineage(const DataPlan& plan, const Order& order, std::span<const Range> samples) {
  Lineage lineage;
  lineage.order = plan.version;
  for (const PlannedSource& source : plan.sources) {
    SourceLineage& made = lineage.sources.emplace_back();
    made.path = source.path;
    made.fingerprint = source.fingerprint;
  }
  for (const Range& range : samples) {
    lineage.samples += range.size();
    const std::vector<int64_t> before = order.DrawnBySource(range.begin);
    const std::vector<int64_t> after = order.DrawnBySource(range.end);
    CHECK(before.size() == lineage.sources.size() && after.size() == before.size());
    for (size_t s = 0; s < before.size(); ++s) {
      std::vector<Range>& draws = lineage.sources[s].draws;
      if (after[s] == before[s]) continue;
      if (!draws.empty() && draws.back().end == before[s]) {
        draws.back().end = after[s];
      } else {
        draws.push_back({before[s], after[s]});
      }
    }
  }
  for (size_t s = 0; s < lineage.sources.size(); ++s) {
    SourceLineage& source = lineage.sources[s];
    for (const Range& range : source.draws) source.samples += range.size();
    source.tokens = source.samples * plan.sequence_length;
    SetPosition(plan, s, source);
  }
  lineage.tokens = lineage.samples * plan.sequence_length;
  return lineage;
}

std::string ToJson(const Lineage& lineage) {
  Json sources = Json::array();
  for (const SourceLineage& source : lineage.sources) {
    Json draws = Json::array();
    for (const Range& range : source.draws) draws.push_back(Json::array({range.begin, range.end}));
    sources.push_back({{"path", source.path},
                       {"fingerprint", source.fingerprint},
                       {"samples", source.samples},
                       {"tokens", source.tokens},
                       {"draws", std::move(draws)},
                       {"epochs", source.epochs},
                       {"position", source.position}});
  }
  const Json json = {{"order", lineage.order},
                     {"samples", lineage.samples},
                     {"tokens", lineage.tokens},
                     {"sources", std::move(sources)}};
  // A path need not be UTF-8; the fingerprint names the source then.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Lineage> ParseLineage(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Bad("no JSON object");
  Lineage lineage;
  ASSIGN_OR_RETURN(lineage.order, Text(json, "order"));
  ASSIGN_OR_RETURN(lineage.samples, Count(json, "samples"));
  ASSIGN_OR_RETURN(lineage.tokens, Count(json, "tokens"));
  const auto sources = json.find("sources");
  if (sources == json.end() || !sources->is_array()) return Bad("sources is missing or no list");
  for (const Json& item : *sources) {
    ASSIGN_OR_RETURN(SourceLineage source, ParseSource(item));
    lineage.sources.push_back(std::move(source));
  }
  return lineage;
}

}  // namespace galley::data
