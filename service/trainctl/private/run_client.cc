#include "service/trainctl/private/run_client.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "service/trainctl/private/stored_run.h"

namespace galley::trainctl {
namespace {

constexpr absl::Duration kPrivateAnswer = absl::Seconds(2);

// True while a controller listens there. A socket that is gone needs no waiting.
bool Answers(Client& client, const std::string& address) {
  return FileExists(std::string(absl::StripPrefix(address, "unix:"))) && client.Version(kPrivateAnswer).ok();
}

absl::StatusOr<RunClient> OpenPrivate(const PrivateRun& own, bool stored) {
  RunClient result;
  ASSIGN_OR_RETURN(std::string address, PrivateAddress(own.run_id));
  ASSIGN_OR_RETURN(result.client, Client::Open(address, {}));
  result.run = own.run_id;
  if (Answers(*result.client, address)) return result;
  if (!stored) return NoDaemons(own);
  result.client = OpenStored(own);
  result.stored = true;
  return result;
}

// `stored`: a private run without daemons is read from its directory.
absl::StatusOr<RunClient> Open(const Globals& globals, const std::string& run, bool stored) {
  RunClient result;
  result.run = run;
  // A run directory is known to its controller by its whole path.
  if (FileExists(JoinPath(run, "recipe.yaml"))) result.run = AbsolutePath(run).value_or(run);
  if (globals.controller.empty()) {
    absl::StatusOr<PrivateRun> own = FindPrivate(globals, run);
    if (own.ok()) return OpenPrivate(*own, stored);
    if (!absl::IsNotFound(own.status())) return own.status();
  }
  ASSIGN_OR_RETURN(result.client, Client::Open(globals));
  return result;
}

}  // namespace

absl::StatusOr<RunClient> OpenFor(const Globals& globals, const std::string& run) {
  return Open(globals, run, /*stored=*/false);
}

absl::StatusOr<RunClient> OpenToRead(const Globals& globals, const std::string& run) {
  absl::StatusOr<RunClient> opened = Open(globals, run, /*stored=*/true);
  if (opened.ok() && opened->stored) {
    fprintf(stderr, "run %s has no daemons now: read from %s\n", opened->run.c_str(),
            opened->client->address().c_str());
  }
  return opened;
}

absl::StatusOr<v1::RunSummary> ReadPrivate(const PrivateRun& run) {
  ASSIGN_OR_RETURN(RunClient opened, OpenPrivate(run, /*stored=*/true));
  return opened.client->Get(opened.run);
}

void AddRunOption(CLI::App& app, std::string* run) {
  app.add_option("run", *run, "The run: its id (or the begin of it), its name, or its directory")
      ->required()
      ->type_name("RUN");
}

}  // namespace galley::trainctl
