#include "service/trainctl/verbs/submit_input.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "runtime/base/file.h"
#include "runtime/prepare/prepare.h"
#include "service/trainctl/output/output.h"

namespace galley::trainctl {

void AddSubmitOptions(CLI::App& app, SubmitInput* input) {
  AddRecipeOptions(app, &input->recipe);
  app.add_option("--run-dir", input->run_dir, "Where the run lives; default runs/<name>-<id> here")
      ->type_name("DIR");
  app.add_option("--from-checkpoint", input->from_checkpoint,
                 "Start from the weights and state of a checkpoint")
      ->type_name("DIR");
}

int ReadSubmission(const SubmitInput& input, v1::SubmitRequest* request, std::string* name) {
  prepare::PrepareResult result;
  const int read = ReadRecipe(input.recipe, &result, /*print_faults=*/false);
  if (read == kNotFound) return read;
  // A fault that says "not built" was a warning until now: from here on it refuses the run.
  std::vector<recipe::Fault> faults = result.faults;
  std::erase_if(faults, [](const recipe::Fault& fault) { return fault.not_built; });
  for (recipe::Fault& fault : recipe::NotBuiltErrors(result.faults)) faults.push_back(std::move(fault));
  recipe::SortFaults(faults);
  fputs(recipe::FormatFaults(faults).c_str(), stderr);
  if (!result.prepared || recipe::HasErrors(faults)) return kInvalidRecipe;
  *name = result.prepared->spec.metadata.name;
  request->mutable_recipe()->set_canonical(result.text.canonical);
  request->mutable_recipe()->set_root(result.text.root);
  request->mutable_recipe()->set_origins_json(result.text.origins_json);
  const absl::StatusOr<std::string> cwd = AbsolutePath(".");
  if (!cwd.ok()) return Fail(cwd.status());
  request->set_cwd(*cwd);
  if (!input.run_dir.empty()) request->set_run_dir(AbsolutePath(input.run_dir).value_or(input.run_dir));
  if (!input.from_checkpoint.empty()) {
    request->set_from_checkpoint(AbsolutePath(input.from_checkpoint).value_or(input.from_checkpoint));
  }
  return kOk;
}

int SendSubmission(Client& client, const v1::SubmitRequest& request, v1::SubmitReply* reply) {
  absl::StatusOr<v1::SubmitReply> sent = client.Submit(request);
  if (!sent.ok()) return Fail(sent.status());
  *reply = *std::move(sent);
  bool refused = false;
  for (const v1::FaultMessage& m : reply->faults()) {
    // Warnings were printed when the recipe was read here.
    if (m.severity() != v1::Severity::ERROR) continue;
    refused = true;
    recipe::Fault fault;
    fault.file = m.file();
    fault.line = m.line();
    fault.column = m.column();
    fault.path = m.path();
    fault.message = m.message();
    fprintf(stderr, "%s\n", recipe::FormatFault(fault).c_str());
  }
  return refused ? kInvalidRecipe : kOk;
}

}  // namespace galley::trainctl
