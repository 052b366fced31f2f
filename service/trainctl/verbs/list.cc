// trainctl list: the controller's runs, or the private ones, newest first.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "runtime/base/status.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/private/client.h"
#include "service/trainctl/private/follow.h"
#include "service/trainctl/private/private_service.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"
#include "service/view/names.h"

namespace galley::trainctl {
namespace {

struct Options {
  std::string state;
  bool own = false;
};

absl::StatusOr<std::vector<Row>> SharedRuns(const std::string& state, const Globals& globals) {
  ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Open(globals));
  v1::ListRequest request;
  request.set_state(view::StateNamed(state));
  ASSIGN_OR_RETURN(v1::ListReply reply, client->List(request));
  std::vector<Row> rows;
  for (const v1::RunSummary& run : reply.runs()) rows.push_back(view::RowOf(run));
  return rows;
}

// Each by its own controller, or from its directory. One that cannot be read hides no other.
absl::StatusOr<std::vector<Row>> OwnRuns(const std::string& state, const Globals& globals) {
  Globals own = globals;
  own.controller.clear();
  ASSIGN_OR_RETURN(const std::vector<PrivateRun> runs, PrivateRuns(own));
  std::vector<Row> rows;
  for (const PrivateRun& run : runs) {
    const absl::StatusOr<v1::RunSummary> summary = ReadPrivate(run);
    if (!summary.ok()) {
      fprintf(stderr, "trainctl: %s\n", std::string(summary.status().message()).c_str());
    } else if (state.empty() || summary->state() == view::StateNamed(state)) {
      rows.push_back(view::RowOf(*summary));
    }
  }
  return rows;
}

int Run(const Options& options, const Globals& globals) {
  const absl::StatusOr<std::vector<Row>> rows =
      options.own ? OwnRuns(options.state, globals) : SharedRuns(options.state, globals);
  if (!rows.ok()) return Fail(rows.status());
  PrintRows(globals, RunColumns(), "id", *rows);
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("--state", options->state, "Only runs in this state")
      ->check(CLI::IsMember(view::StateNames()));
  app.add_flag("--private", options->own, "The runs of 'trainctl train', living or over, instead");
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kListVerb = {"list", "List runs", Declare};

}  // namespace galley::trainctl
