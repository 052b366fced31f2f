// trainctl events: what happened to a run.
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
  int64_t since = 0;
  bool follow = false;
};

const std::vector<Column>& Columns() {
  static const auto& columns = *new std::vector<Column>{
      {"seq", "SEQ"},         {"time", "TIME"}, {"kind", "KIND"},      {"attempt", "ATTEMPT"},
      {"from", "FROM", true}, {"to", "STATE"},  {"message", "MESSAGE"}};
  return columns;
}

int Run(const Options& options, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenToRead(globals, options.run);
  if (!client.ok()) return Fail(client.status());
  v1::EventsRequest request;
  request.set_run(client->run);
  request.set_since(options.since);
  request.set_follow(options.follow);
  std::vector<Row> rows;
  const absl::Status status = client->client->Events(request, [&](const v1::EventMessage& event) {
    if (options.follow) {
      PrintStreamed(globals, Columns(), "seq", view::RowOf(event));
    } else {
      rows.push_back(view::RowOf(event));
    }
    return true;
  });
  if (!status.ok()) return Fail(status);
  if (!options.follow) PrintRows(globals, Columns(), "seq", rows);
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  AddRunOption(app, &options->run);
  app.add_option("--since", options->since, "Only events after this number")->check(CLI::NonNegativeNumber);
  app.add_flag("-w,--follow", options->follow, "Go on until the run stands still");
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kEventsVerb = {"events", "Print what happened to a run", Declare};

}  // namespace galley::trainctl
