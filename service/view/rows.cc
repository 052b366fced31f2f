#include "service/view/rows.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/metrics/report.h"
#include "service/view/names.h"

namespace galley::view {
namespace {

Value Optional(bool has, double value) { return has ? Value(value) : Value(); }

// Those that `status` names, of one kind. A count begins at 0, before the first step too.
void AddMetrics(const metrics::StepRecord& record, metrics::Kind kind, Row& row) {
  for (size_t i = 0; i < metrics::kMetricCount; ++i) {
    const metrics::Metric& metric = metrics::kMetrics[i];
    if (metric.status == nullptr || metric.kind != kind) continue;
    const std::optional<double> real = record.AsReal(i);
    row.emplace_back(metric.name, kind == metrics::Kind::kCount
                                      ? Value(std::bit_cast<int64_t>(record.Bits(i)))
                                      : Optional(real.has_value(), real.value_or(0)));
  }
}

// Of the node's first device; nothing where it is not known.
Value Peak(const v1::NodeInfo& info, const char* dtype) {
  if (info.devices().empty()) return Value();
  const auto& peaks = info.devices(0).peak_flops();
  const auto found = peaks.find(dtype);
  return found == peaks.end() ? Value() : Value(found->second);
}

void Append(Row more, Row& row) {
  for (auto& field : more) row.push_back(std::move(field));
}

}  // namespace

Row RowOf(const v1::RunSummary& run) {
  const metrics::StepRecord latest = metrics::FromReport(run.latest());
  Row row = {{"id", run.run_id()},           {"name", run.name()},
             {"state", NameOf(run.state())}, {"reason", run.reason()},
             {"next", run.next()},           {"attempt", run.attempt()},
             {"step", run.step()},           {"total_steps", run.total_steps()}};
  AddMetrics(latest, metrics::Kind::kReal, row);
  Append({{"eta_seconds", Optional(run.has_eta_seconds(), run.eta_seconds())},
          {"wall_seconds", Optional(run.has_wall_seconds(), run.wall_seconds())}},
         row);
  AddMetrics(latest, metrics::Kind::kCount, row);
  Append({{"checkpoint_step", run.last_checkpoint_step()},
          {"checkpoint", run.last_checkpoint_path()},
          {"run_dir", run.run_dir()},
          {"metrics_address", run.metrics_address()},
          {"stop_cause", NameOf(run.stop_cause())},
          {"recipe_hash", run.recipe_hash()},
          {"created", Rfc3339(run.created_unix_ms())},
          {"updated", Rfc3339(run.updated_unix_ms())},
          {"progress", absl::StrCat(run.step(), "/", run.total_steps())}},
         row);
  return row;
}

Row RowOf(const v1::EventMessage& event) {
  return {
      {"seq", event.seq()},         {"time", Rfc3339(event.unix_ms())},   {"kind", NameOf(event.kind())},
      {"attempt", event.attempt()}, {"from", NameOf(event.from_state())}, {"to", NameOf(event.to_state())},
      {"message", event.message()}};
}

Row RowOf(const v1::NodeMessage& node, absl::Time now) {
  const v1::NodeInfo& info = node.info();
  return {{"name", info.name()},
          {"state", NameOf(node.state())},
          {"cores", int64_t{info.cores()}},
          {"memory_bytes", info.memory_bytes()},
          {"isa", info.isa()},
          {"cpu", info.cpu_model()},
          {"peak_flops_f32", Peak(info, "f32")},
          {"peak_flops_bf16", Peak(info, "bf16")},
          {"peak_source", info.devices().empty() ? "" : info.devices(0).peak_source()},
          {"runs", std::vector<std::string>(node.runs().begin(), node.runs().end())},
          {"version", info.version()},
          {"last_seen", Rfc3339(node.last_seen_unix_ms())},
          {"seen", Ago(node.last_seen_unix_ms(), now)}};
}

Row RowOf(const v1::SubmitReply& submitted, const std::string& name) {
  return {{"id", submitted.run_id()}, {"name", name}, {"run_dir", submitted.run_dir()}};
}

Row RowOf(const v1::SaveReply& saved) { return {{"step", saved.step()}, {"path", saved.path()}}; }

Row StatusOf(const v1::RunSummary& run, ReadFrom source) {
  Row row = RowOf(run);
  row.emplace_back("source", source == ReadFrom::kRunDirectory ? "run directory" : "controller");
  return row;
}

}  // namespace galley::view
