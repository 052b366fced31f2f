// trainctl status: one run, and what happens next to it.
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/private/follow.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

const std::vector<Column>& Columns() {
  static const auto& columns = *new std::vector<Column>{
      {"id", "Run"},
      {"name", "Name"},
      {"state", "State"},
      {"reason", "Reason"},
      {"next", "Next"},
      {"progress", "Step"},
      {"attempt", "Attempt"},
      {"loss", "Loss"},
      {"validation_loss", "Validation loss"},
      {"tokens_per_second", "Tokens/s"},
      {"mfu", "MFU"},
      {"eta_seconds", "ETA, s"},
      {"wall_seconds", "Wall time, s"},
      {"checkpoint", "Checkpoint"},
      {"metrics_address", "Metrics"},
      {"run_dir", "Run directory"},
      {"samples", "Samples", true},
      {"tokens", "Tokens", true},
      {"recipe_hash", "Recipe", true},
      {"created", "Created", true},
      {"updated", "Updated"},
      {"source", "Read from"},
  };
  return columns;
}

int Run(const std::string& run, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenToRead(globals, run);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::RunSummary> summary = client->client->Get(client->run);
  if (!summary.ok()) return Fail(summary.status());
  Row row = RowOf(*summary);
  row.emplace_back("source", client->stored ? "run directory" : "controller");
  PrintRow(globals, Columns(), "id", row);
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
