// trainctl checkpoints: what a run has saved, and what it had read of each source by then.
#include <CLI/CLI.hpp>
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"
#include "service/view/checkpoint_rows.h"

namespace galley::trainctl {
namespace {

struct Arguments {
  std::string run;
  bool sources = false;
};

int Run(const Arguments& arguments, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenToRead(globals, arguments.run);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::CheckpointsReply> reply = client->client->Checkpoints(client->run);
  if (!reply.ok()) return Fail(reply.status());
  std::vector<Row> rows;
  for (const v1::CheckpointMessage& c : reply->checkpoints()) {
    const auto more = arguments.sources ? view::SourceRowsOf(c) : view::RowsOf(c);
    if (!more.ok()) return Fail(more.status());
    rows.insert(rows.end(), more->begin(), more->end());
  }
  if (arguments.sources) {
    PrintRows(globals,
              {{"step", "STEP"},
               {"source", "SOURCE"},
               {"fingerprint", "FINGERPRINT", true},
               {"samples", "SAMPLES"},
               {"tokens", "TOKENS"},
               {"share", "SHARE"},
               {"epochs", "EPOCHS"},
               {"position", "POSITION", true},
               {"draws", "DRAWS", true}},
              "source", rows);
    return kOk;
  }
  PrintRows(globals,
            {{"step", "STEP"},
             {"samples", "SAMPLES", true},
             {"tokens", "TOKENS"},
             {"bytes", "BYTES"},
             {"status", "STATUS"},
             {"path", "PATH"},
             {"sources", "SOURCES", true}},
            "path", rows);
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  AddRunOption(app, &arguments->run);
  app.add_flag("--sources", arguments->sources, "A line for each checkpoint and source: what was read of it");
  return [arguments, &globals] { return Run(*arguments, globals); };
}

}  // namespace

constinit const Verb kCheckpointsVerb = {"checkpoints", "List a run's checkpoints, and what each had read",
                                         Declare};

}  // namespace galley::trainctl
