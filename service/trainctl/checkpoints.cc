// trainctl checkpoints: what a run has saved.
#include <memory>

#include "service/trainctl/output.h"
#include "service/trainctl/rows.h"
#include "service/trainctl/run_client.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

int Run(const std::string& run, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenToRead(globals, run);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::CheckpointsReply> reply = client->client->Checkpoints(client->run);
  if (!reply.ok()) return Fail(reply.status());
  std::vector<Row> rows;
  for (const v1::CheckpointMessage& c : reply->checkpoints()) {
    rows.push_back({{"step", c.step()},
                    {"samples", c.samples()},
                    {"tokens", c.tokens()},
                    {"bytes", c.bytes()},
                    {"status", c.status()},
                    {"path", c.path()}});
  }
  PrintRows(globals,
            {{"step", "STEP"},
             {"samples", "SAMPLES", true},
             {"tokens", "TOKENS"},
             {"bytes", "BYTES"},
             {"status", "STATUS"},
             {"path", "PATH"}},
            "path", rows);
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto run = std::make_shared<std::string>();
  AddRunOption(app, run.get());
  return [run, &globals] { return Run(*run, globals); };
}

}  // namespace

constinit const Verb kCheckpointsVerb = {"checkpoints", "List a run's checkpoints", Declare};

}  // namespace galley::trainctl
