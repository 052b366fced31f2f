// trainctl list: the controller's runs, newest first.
#include <memory>

#include "service/trainctl/client.h"
#include "service/trainctl/follow.h"
#include "service/trainctl/output.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

int Run(const std::string& state, const Globals& globals) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(globals);
  if (!client.ok()) return Fail(client.status());
  v1::ListRequest request;
  request.set_state(state);
  absl::StatusOr<v1::ListReply> reply = (*client)->List(request);
  if (!reply.ok()) return Fail(reply.status());
  std::vector<Row> rows;
  for (const v1::RunSummary& run : reply->runs()) rows.push_back(RowOf(run));
  PrintRows(globals, RunColumns(), "id", rows);
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto state = std::make_shared<std::string>();
  app.add_option("--state", *state, "Only runs in this state, such as RUNNING");
  return [state, &globals] { return Run(*state, globals); };
}

}  // namespace

constinit const Verb kListVerb = {"list", "List runs", Declare};

}  // namespace galley::trainctl
