// trainctl watch: follows a run until it stands still; Ctrl-C leaves the run alone.
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
  double timeout = 0;
};

int Run(const Options& options, const Globals& globals) {
  BlockSignals();
  absl::StatusOr<RunClient> client = OpenToRead(globals, options.run);
  if (!client.ok()) return Fail(client.status());
  FollowOptions follow;
  if (options.timeout > 0) follow.timeout = absl::Seconds(options.timeout);
  absl::StatusOr<Followed> followed = Follow(*client->client, client->run, follow);
  if (!followed.ok()) return Fail(followed.status());
  PrintRow(globals, RunColumns(), "id", view::RowOf(followed->run));
  return followed->interrupted ? kInterrupted : ExitCodeOf(*followed);
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  AddRunOption(app, &options->run);
  app.add_option("--timeout", options->timeout, "Seconds to watch at most")->check(CLI::PositiveNumber);
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kWatchVerb = {"watch", "Follow a run until it stands still; the exit code says how",
                                   Declare};

}  // namespace galley::trainctl
