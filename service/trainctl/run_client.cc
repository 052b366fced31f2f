#include "service/trainctl/run_client.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "service/trainctl/private_service.h"

namespace galley::trainctl {
namespace {

constexpr absl::Duration kPrivateAnswer = absl::Seconds(2);

}  // namespace

absl::StatusOr<RunClient> OpenFor(const Globals& globals, const std::string& run) {
  RunClient result;
  result.run = run;
  // A run directory is known to its controller by its whole path.
  if (FileExists(JoinPath(run, "recipe.yaml"))) result.run = AbsolutePath(run).value_or(run);
  if (globals.controller.empty()) {
    absl::StatusOr<PrivateRun> own = FindPrivate(globals, run);
    if (own.ok()) {
      ASSIGN_OR_RETURN(std::string address, PrivateAddress(own->run_id));
      ASSIGN_OR_RETURN(result.client, Client::Open(address, {}));
      result.run = own->run_id;
      if (!result.client->Version(kPrivateAnswer).ok()) {
        return absl::UnavailableError(
            absl::StrCat("run ", own->run_id, " (", own->name, ") in ", own->run_dir,
                         " has no daemons now; go on with: trainctl resume ", own->run_id));
      }
      return result;
    }
    if (!absl::IsNotFound(own.status())) return own.status();
  }
  ASSIGN_OR_RETURN(result.client, Client::Open(globals));
  return result;
}

void AddRunOption(CLI::App& app, std::string* run) {
  app.add_option("run", *run, "The run: its id (or the begin of it), its name, or its directory")
      ->required()
      ->type_name("RUN");
}

}  // namespace galley::trainctl
