// trainctl resume: a paused or held run goes on; a private one with new daemons of its own.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/private/follow.h"
#include "service/trainctl/private/own_run.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"
#include "service/view/names.h"

namespace galley::trainctl {
namespace {

struct Options {
  std::string run;
  std::string from_checkpoint;
};

absl::StatusOr<v1::RunSummary> Ask(Client& client, const std::string& run,
                                   const std::string& from_checkpoint) {
  v1::ResumeRequest request;
  request.set_run(run);
  if (!from_checkpoint.empty())
    request.set_from_checkpoint(AbsolutePath(from_checkpoint).value_or(from_checkpoint));
  return client.Resume(request);
}

int ResumeOwn(const PrivateRun& run, const Options& options, const Globals& globals) {
  absl::StatusOr<std::unique_ptr<PrivateService>> service = PrivateService::Start(run.run_dir, run.run_id);
  if (!service.ok()) return Fail(service.status());
  Client& client = (*service)->client();
  absl::StatusOr<v1::RunSummary> summary = client.Get(run.run_id);
  if (!summary.ok()) return Fail(summary.status());
  // A run whose daemons were killed is still RUNNING in its store and goes on by itself.
  if (view::IsWaiting(summary->state()) || view::IsOver(summary->state()) ||
      !options.from_checkpoint.empty()) {
    summary = Ask(client, run.run_id, options.from_checkpoint);
    if (!summary.ok()) return Fail(summary.status());
  }
  return FollowOwnRun(**service, run, globals);
}

int Run(const Options& options, const Globals& globals) {
  BlockSignals();
  if (globals.controller.empty()) {
    absl::StatusOr<PrivateRun> own = FindPrivate(globals, options.run);
    if (own.ok()) {
      absl::StatusOr<RunClient> living = OpenFor(globals, options.run);
      if (living.ok()) {
        return Fail(absl::FailedPreconditionError(absl::StrCat(
            "run ", own->run_id, " is being trained by another trainctl; follow it with: trainctl watch ",
            own->run_id)));
      }
      if (!absl::IsUnavailable(living.status())) return Fail(living.status());
      return ResumeOwn(*own, options, globals);
    }
    if (!absl::IsNotFound(own.status())) return Fail(own.status());
  }
  absl::StatusOr<RunClient> client = OpenFor(globals, options.run);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::RunSummary> summary = Ask(*client->client, client->run, options.from_checkpoint);
  if (!summary.ok()) return Fail(summary.status());
  PrintRow(globals, RunColumns(), "id", view::RowOf(*summary));
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  AddRunOption(app, &options->run);
  app.add_option("--from-checkpoint", options->from_checkpoint, "Go on from this one, not from the newest")
      ->type_name("DIR");
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kResumeVerb = {"resume", "Let a paused or held run go on from its last checkpoint",
                                    Declare};

}  // namespace galley::trainctl
