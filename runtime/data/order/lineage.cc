#include "runtime/data/order/lineage.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

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

constexpr size_t kMaxDraws = 1 << 20;

absl::Status Bad(absl::string_view what) { return absl::DataLossError(absl::StrCat("lineage: ", what)); }

// Of a range of samples in a list of them that rises.
absl::StatusOr<Range> ParseRange(const Json& item, int64_t after) {
  if (item.items.size() != 2 || item.items[0].kind != Json::Kind::kInt ||
      item.items[1].kind != Json::Kind::kInt) {
    return Bad("draws holds what is not a range");
  }
  const Range range{item.items[0].integer, item.items[1].integer};
  if (range.begin <= after || range.size() <= 0) return Bad("draws steps back");
  return range;
}

absl::StatusOr<SourceLineage> ParseSource(const Json& json, size_t index) {
  SourceLineage source;
  JsonReader reader(json, absl::StrCat("sources[", index, "]"));
  reader.Read("path", source.path);
  reader.Read("fingerprint", source.fingerprint);
  reader.Read("samples", source.samples, 0);
  reader.Read("tokens", source.tokens, 0);
  reader.Read("epochs", source.epochs, 0);
  reader.Read("position", source.position, 0);
  int64_t last = -1;
  for (const Json& item : reader.Items("draws", kMaxDraws)) {
    ASSIGN_OR_RETURN(source.draws.emplace_back(), ParseRange(item, last));
    last = source.draws.back().end;
  }
  if (!reader.status().ok()) return Bad(reader.status().message());
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
  nlohmann::ordered_json sources = nlohmann::ordered_json::array();
  for (const SourceLineage& source : lineage.sources) {
    nlohmann::ordered_json draws = nlohmann::ordered_json::array();
    for (const Range& range : source.draws)
      draws.push_back(nlohmann::ordered_json::array({range.begin, range.end}));
    sources.push_back({{"path", source.path},
                       {"fingerprint", source.fingerprint},
                       {"samples", source.samples},
                       {"tokens", source.tokens},
                       {"draws", std::move(draws)},
                       {"epochs", source.epochs},
                       {"position", source.position}});
  }
  const nlohmann::ordered_json json = {{"order", lineage.order},
                                       {"samples", lineage.samples},
                                       {"tokens", lineage.tokens},
                                       {"sources", std::move(sources)}};
  // A path need not be UTF-8; the fingerprint names the source then.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

absl::StatusOr<Lineage> ParseLineage(absl::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return Bad(json.status().message());
  Lineage lineage;
  JsonReader reader(*json);
  reader.Read("order", lineage.order);
  reader.Read("samples", lineage.samples, 0);
  reader.Read("tokens", lineage.tokens, 0);
  for (const Json& item : reader.Items("sources", static_cast<size_t>(kMaxSources))) {
    ASSIGN_OR_RETURN(SourceLineage source, ParseSource(item, lineage.sources.size()));
    lineage.sources.push_back(std::move(source));
  }
  if (!reader.status().ok()) return Bad(reader.status().message());
  return lineage;
}

}  // namespace galley::data
