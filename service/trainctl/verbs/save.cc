// trainctl save: a checkpoint now.
#include <CLI/CLI.hpp>
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"
#include "service/view/rows.h"

namespace galley::trainctl {
namespace {

struct Options {
  std::string run;
  double timeout = 600;
};

int Run(const Options& options, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenFor(globals, options.run);
  if (!client.ok()) return Fail(client.status());
  v1::SaveRequest request;
  request.set_run(client->run);
  absl::StatusOr<v1::SaveReply> reply = client->client->Save(request, absl::Seconds(options.timeout));
  if (!reply.ok()) return Fail(reply.status());
  PrintRow(globals, {{"step", "Step"}, {"path", "Checkpoint"}}, "path", view::RowOf(*reply));
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  AddRunOption(app, &options->run);
  app.add_option("--timeout", options->timeout, "Seconds to wait for the commit")->check(CLI::PositiveNumber);
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kSaveVerb = {"save", "Save a checkpoint now and wait until it is committed", Declare};

}  // namespace galley::trainctl
