#include "service/view/checkpoint_rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/base/status.h"
#include "runtime/data/order/lineage.h"
#include "service/view/names.h"

namespace galley::view {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kNotRecorded[] = "not recorded";

// Absent when it is not recorded: an older version wrote the checkpoint, or it does not open.
absl::StatusOr<std::optional<data::Lineage>> LineageOf(const v1::CheckpointMessage& checkpoint) {
  if (!checkpoint.has_lineage()) return std::nullopt;
  absl::StatusOr<data::Lineage> lineage = data::ParseLineage(checkpoint.lineage());
  if (!lineage.ok()) return Annotate(lineage.status(), checkpoint.path());
  return *std::move(lineage);
}

Json DrawsOf(const data::SourceLineage& source) {
  Json draws = Json::array();
  for (const data::Range& range : source.draws) draws.push_back({range.begin, range.end});
  return draws;
}

Value SourcesOf(const std::optional<data::Lineage>& lineage) {
  if (!lineage.has_value()) return Nested{"null", kNotRecorded};
  Json json = Json::array();
  std::vector<std::string> cells;
  for (const data::SourceLineage& source : lineage->sources) {
    json.push_back({{"source", source.path},
                    {"fingerprint", source.fingerprint},
                    {"samples", source.samples},
                    {"tokens", source.tokens},
                    {"epochs", source.epochs},
                    {"position", source.position},
                    {"draws", DrawsOf(source)}});
    const size_t name = source.path.rfind('/');
    cells.push_back(absl::StrCat(name == std::string::npos ? source.path : source.path.substr(name + 1), " ",
                                 Compact(static_cast<double>(source.tokens))));
  }
  return Nested{json.dump(-1, ' ', false, Json::error_handler_t::replace), absl::StrJoin(cells, ", ")};
}

Value TokensOf(const v1::CheckpointMessage& checkpoint) {
  return checkpoint.has_tokens() ? Value(checkpoint.tokens()) : Value();
}

// What is wrong with a damaged one stands in place of a name.
std::string StatusOf(const v1::CheckpointMessage& checkpoint) {
  return checkpoint.state() == v1::CheckpointState::DAMAGED ? checkpoint.fault() : NameOf(checkpoint.state());
}

}  // namespace

v1::CheckpointMessage MessageOf(const checkpoint::Entry& entry) {
  v1::CheckpointMessage m;
  m.set_step(entry.step);
  m.set_path(entry.path);
  m.set_bytes(entry.bytes);
  m.set_state(entry.status.ok() ? v1::CheckpointState::OK : v1::CheckpointState::DAMAGED);
  m.set_fault(std::string(entry.status.message()));
  const absl::StatusOr<checkpoint::Manifest> manifest = checkpoint::Open(entry.path, /*verify_data=*/false);
  if (!manifest.ok()) return m;
  const checkpoint::Facts& facts = manifest->info.state;
  m.set_samples(checkpoint::IntFact(facts, "samples").value_or(0));
  if (const auto tokens = checkpoint::IntFact(facts, "tokens"); tokens.ok()) m.set_tokens(*tokens);
  if (const auto it = facts.find("lineage"); it != facts.end()) m.set_lineage(it->second);
  return m;
}

absl::StatusOr<std::vector<Row>> RowsOf(const v1::CheckpointMessage& checkpoint) {
  ASSIGN_OR_RETURN(const std::optional<data::Lineage> lineage, LineageOf(checkpoint));
  return std::vector<Row>{{{"step", checkpoint.step()},
                           {"samples", checkpoint.samples()},
                           {"tokens", TokensOf(checkpoint)},
                           {"bytes", checkpoint.bytes()},
                           {"status", StatusOf(checkpoint)},
                           {"path", checkpoint.path()},
                           {"sources", SourcesOf(lineage)}}};
}

absl::StatusOr<std::vector<Row>> SourceRowsOf(const v1::CheckpointMessage& checkpoint) {
  ASSIGN_OR_RETURN(const std::optional<data::Lineage> lineage, LineageOf(checkpoint));
  if (!lineage.has_value()) {
    return std::vector<Row>{{{"step", checkpoint.step()},
                             {"source", kNotRecorded},
                             {"fingerprint", {}},
                             {"samples", checkpoint.samples()},
                             {"tokens", TokensOf(checkpoint)},
                             {"share", {}},
                             {"epochs", {}},
                             {"position", {}},
                             {"draws", {}}}};
  }
  std::vector<Row> rows;
  const double all = static_cast<double>(std::max<int64_t>(lineage->samples, 1));
  for (const data::SourceLineage& source : lineage->sources) {
    const double share = static_cast<double>(source.samples) / all;
    const std::string draws = DrawsOf(source).dump();
    rows.push_back({{"step", checkpoint.step()},
                    {"source", source.path},
                    {"fingerprint", source.fingerprint},
                    {"samples", source.samples},
                    {"tokens", source.tokens},
                    {"share", Nested{Json(share).dump(), absl::StrFormat("%.2f%%", 100 * share)}},
                    {"epochs", source.epochs},
                    {"position", source.position},
                    {"draws", Nested{draws, draws}}});
  }
  return rows;
}

}  // namespace galley::view
