#include "service/controller/submission.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/run_id.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "service/controller/attempt.h"

namespace galley::service {
namespace {

absl::StatusOr<std::string> RunDirFor(const v1::SubmitRequest& request, const Run& run) {
  std::string dir = request.run_dir();
  if (dir.empty()) {
    if (request.cwd().empty())
      return absl::InvalidArgumentError("neither a run directory nor a working folder");
    dir = JoinPath(request.cwd(), absl::StrCat("runs/", run.name, "-", run.id));
  }
  if (dir[0] != '/')
    return absl::InvalidArgumentError(absl::StrCat(dir, ": a run directory is given as a whole path"));
  return AbsolutePath(dir);
}

// A new run neither continues nor mixes with what another one left.
absl::Status CheckFresh(const Run& run) {
  for (const checkpoint::Entry& entry : checkpoint::List(run.plan.checkpoint_dir)) {
    return absl::FailedPreconditionError(absl::StrCat(
        entry.path, ": the checkpoint folder holds checkpoints of another run; resume that run, give ",
        "another checkpoint.directory, or start from one with --from-checkpoint"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddFaults(const std::vector<recipe::Fault>& faults,
               google::protobuf::RepeatedPtrField<v1::FaultMessage>* messages) {
  for (const recipe::Fault& fault : faults) {
    v1::FaultMessage& m = *messages->Add();
    m.set_file(fault.file);
    m.set_line(fault.line);
    m.set_column(fault.column);
    m.set_path(fault.path);
    m.set_message(fault.message);
    m.set_severity(fault.severity == recipe::Fault::Severity::kError ? v1::Severity::ERROR
                                                                     : v1::Severity::WARNING);
  }
}

absl::StatusOr<Submission> CheckSubmission(const v1::SubmitRequest& request, int64_t memory_bytes,
                                           LargestIds& largest_ids) {
  const recipe::RecipeText text{request.recipe().canonical(), request.recipe().root(),
                                request.recipe().origins_json()};
  prepare::PrepareResult prepared = prepare::Prepare(text);
  Submission result;
  result.faults = prepared.faults;
  if (!prepared.prepared) return result;
  // A fault that says "not built" was a warning until now: from here on it refuses the run.
  std::erase_if(result.faults, [](const recipe::Fault& fault) { return fault.not_built; });
  for (recipe::Fault& fault : recipe::NotBuiltErrors(prepared.faults))
    result.faults.push_back(std::move(fault));

  result.prepared = std::make_shared<const prepare::Prepared>(*std::move(prepared.prepared));
  const plan::Plan& plan = result.prepared->plan;
  Run run;
  run.id = request.run_id().empty() ? NewRunId() : request.run_id();
  run.name = result.prepared->spec.metadata.name;
  ASSIGN_OR_RETURN(run.run_dir, RunDirFor(request, run));
  run.plan = RunPlanOf(*result.prepared, run.run_dir);
  RETURN_IF_ERROR(CheckFresh(run));
  if (!request.from_checkpoint().empty()) {
    RETURN_IF_ERROR(Annotate(checkpoint::Open(request.from_checkpoint(), /*verify_data=*/false).status(),
                             "--from-checkpoint"));
    run.next_base = request.from_checkpoint();
  }
  if (!recipe::HasErrors(result.faults)) {
    CheckMachine(*result.prepared, prepared.origins, run.run_dir, memory_bytes, largest_ids, &result.faults);
  }
  recipe::SortFaults(result.faults);
  if (recipe::HasErrors(result.faults)) return result;

  run.recipe = text.canonical;
  run.root = text.root;
  run.origins_json = text.origins_json;
  result.plan_json = plan::ToJson(plan);
  result.run = std::move(run);
  return result;
}

}  // namespace galley::service
