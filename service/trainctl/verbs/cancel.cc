// trainctl cancel: ends a run for good, after a last checkpoint unless --now.
#include <CLI/CLI.hpp>
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/private/follow.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Options {
  std::string run;
  std::string reason;
  bool now = false;
  bool wait = false;
  double timeout = 0;
};

int Run(const Options& options, const Globals& globals) {
  if (options.wait) BlockSignals();
  absl::StatusOr<RunClient> client = OpenFor(globals, options.run);
  if (!client.ok()) return Fail(client.status());
  v1::StopRequest request;
  request.set_run(client->run);
  request.set_now(options.now);
  request.set_reason(options.reason);
  absl::StatusOr<v1::RunSummary> summary = client->client->Stop(request);
  if (!summary.ok()) return Fail(summary.status());
  if (options.wait) {
    FollowOptions follow;
    follow.show_steps = false;
    if (options.timeout > 0) follow.timeout = absl::Seconds(options.timeout);
    absl::StatusOr<Followed> followed = Follow(*client->client, client->run, follow);
    if (!followed.ok()) return Fail(followed.status());
    summary = followed->run;
  }
  PrintRow(globals, RunColumns(), "id", view::RowOf(*summary));
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  AddRunOption(app, &options->run);
  app.add_flag("--now", options->now, "Without a last checkpoint");
  app.add_option("--reason", options->reason, "For the run's events");
  app.add_flag("--wait", options->wait, "Until no rank is left");
  app.add_option("--timeout", options->timeout, "Seconds to wait at most")->check(CLI::PositiveNumber);
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kCancelVerb = {"cancel", "End a run for good, after a last checkpoint", Declare};

}  // namespace galley::trainctl
