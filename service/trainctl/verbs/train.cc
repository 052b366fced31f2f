// trainctl train: a run with a controller and a trainerd of its own, from recipe to end.
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/run_id.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/private/follow.h"
#include "service/trainctl/private/own_run.h"
#include "service/trainctl/private/private_service.h"
#include "service/trainctl/verbs.h"
#include "service/trainctl/verbs/submit_input.h"

namespace galley::trainctl {
namespace {

int Run(const SubmitInput& input, const Globals& globals) {
  BlockSignals();
  v1::SubmitRequest request;
  PrivateRun run;
  if (const int code = ReadSubmission(input, &request, &run.name); code != kOk) return code;
  run.run_id = NewRunId();
  if (request.run_dir().empty())
    request.set_run_dir(JoinPath(request.cwd(), absl::StrCat("runs/", run.name, "-", run.run_id)));
  run.run_dir = request.run_dir();
  request.set_run_id(run.run_id);
  if (FileExists(JoinPath(run.run_dir, "recipe.yaml"))) {
    return Fail(absl::FailedPreconditionError(absl::StrCat(
        run.run_dir, ": another run lives here; choose another --run-dir, or go on with: trainctl resume ",
        run.run_dir)));
  }
  const bool fresh = !FileExists(run.run_dir);
  int code = kOk;
  {
    absl::StatusOr<std::unique_ptr<PrivateService>> service = PrivateService::Start(run.run_dir, run.run_id);
    if (!service.ok()) return Fail(service.status());
    v1::SubmitReply reply;
    code = SendSubmission((*service)->client(), request, &reply);
    if (code == kOk) {
      if (absl::Status known = RememberPrivate(globals, run); !known.ok()) {
        fprintf(stderr, "trainctl: %s\n", std::string(known.message()).c_str());
      }
      fprintf(stderr, "run %s (%s) in %s\n", run.run_id.c_str(), run.name.c_str(), run.run_dir.c_str());
      return FollowOwnRun(**service, run, globals);
    }
  }
  // Refused: nothing of it stays. Where a run lives there now, another submission has made it meanwhile.
  if (fresh && !FileExists(JoinPath(run.run_dir, "recipe.yaml"))) RemoveTree(run.run_dir).IgnoreError();
  return code;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto input = std::make_shared<SubmitInput>();
  AddSubmitOptions(app, input.get());
  return [input, &globals] { return Run(*input, globals); };
}

}  // namespace

constinit const Verb kTrainVerb = {"train", "Train a recipe here and now, with live progress", Declare};

}  // namespace galley::trainctl
