// trainctl submit: hands a recipe to a shared controller.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/private/follow.h"
#include "service/trainctl/verbs.h"
#include "service/trainctl/verbs/submit_input.h"

namespace galley::trainctl {
namespace {

struct Options {
  SubmitInput input;
  std::string idempotency_key;
  bool wait = false;
  double timeout = 0;
};

int Run(const Options& options, const Globals& globals) {
  if (options.wait) BlockSignals();
  v1::SubmitRequest request;
  std::string name;
  if (const int code = ReadSubmission(options.input, &request, &name); code != kOk) return code;
  request.set_idempotency_key(options.idempotency_key);
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(globals);
  if (!client.ok()) return Fail(client.status());
  v1::SubmitReply reply;
  if (const int code = SendSubmission(**client, request, &reply); code != kOk) return code;
  if (!options.wait) {
    const Row row = view::RowOf(reply, name);
    // A pipe gets the id alone, so that it can be handed on.
    if (globals.output == "table" && isatty(STDOUT_FILENO) == 0) {
      printf("%s\n", reply.run_id().c_str());
    } else {
      PrintRow(globals, {{"id", "ID"}, {"name", "NAME"}, {"run_dir", "RUN DIR"}}, "id", row);
    }
    return kOk;
  }
  FollowOptions follow;
  if (options.timeout > 0) follow.timeout = absl::Seconds(options.timeout);
  absl::StatusOr<Followed> followed = Follow(**client, reply.run_id(), follow);
  if (!followed.ok()) return Fail(followed.status());
  PrintRow(globals, RunColumns(), "id", view::RowOf(followed->run));
  return ExitCodeOf(*followed);
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  AddSubmitOptions(app, &options->input);
  app.add_option("--idempotency-key", options->idempotency_key, "The same key again gives the same run");
  app.add_flag("--wait", options->wait, "Watch until the run stands still; the exit code says how");
  app.add_option("--timeout", options->timeout, "Seconds to wait at most")->check(CLI::PositiveNumber);
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kSubmitVerb = {"submit", "Hand a recipe to the controller", Declare};

}  // namespace galley::trainctl
