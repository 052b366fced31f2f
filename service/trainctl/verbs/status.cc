// trainctl status: one run, and what happens next to it.
#include <memory>

#include "runtime/metrics/metric.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/private/follow.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

// The metrics that `status` names, of one kind.
void AddMetrics(metrics::Kind kind, std::vector<Column>& columns) {
  for (const metrics::Metric& metric : metrics::kMetrics) {
    if (metric.status != nullptr && metric.kind == kind)
      columns.push_back({metric.name, metric.status, metric.status_wide});
  }
}

std::vector<Column> Columns() {
  std::vector<Column> columns = {{"id", "Run"},         {"name", "Name"}, {"state", "State"},
                                 {"reason", "Reason"},  {"next", "Next"}, {"progress", "Step"},
                                 {"attempt", "Attempt"}};
  AddMetrics(metrics::Kind::kReal, columns);
  for (const Column& column : {Column{"eta_seconds", "ETA, s"},
                               {"wall_seconds", "Wall time, s"},
                               {"checkpoint", "Checkpoint"},
                               {"metrics_address", "Metrics"},
                               {"run_dir", "Run directory"}}) {
    columns.push_back(column);
  }
  AddMetrics(metrics::Kind::kCount, columns);
  for (const Column& column : {Column{"recipe_hash", "Recipe", true},
                               {"created", "Created", true},
                               {"updated", "Updated"},
                               {"source", "Read from"}}) {
    columns.push_back(column);
  }
  return columns;
}

int Run(const std::string& run, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenToRead(globals, run);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::RunSummary> summary = client->client->Get(client->run);
  if (!summary.ok()) return Fail(summary.status());
  const auto source = client->stored ? view::ReadFrom::kRunDirectory : view::ReadFrom::kController;
  PrintRow(globals, Columns(), "id", view::StatusOf(*summary, source));
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto run = std::make_shared<std::string>();
  AddRunOption(app, run.get());
  return [run, &globals] { return Run(*run, globals); };
}

}  // namespace

constinit const Verb kStatusVerb = {"status", "Show one run: how it stands, why, and what comes next",
                                    Declare};

}  // namespace galley::trainctl
