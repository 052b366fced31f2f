// Which controller keeps a run: the one named, or a private one that lives now, or the user's.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "service/trainctl/private/client.h"
#include "service/trainctl/private/private_service.h"

namespace galley::trainctl {

struct RunClient {
  std::unique_ptr<Client> client;
  std::string run;      // what that controller knows it by
  bool stored = false;  // no controller: the run directory
};

// With --controller or GALLEY_CONTROLLER: that one. Else, when `run` is the directory, id or name of a
// private run: its own controller; kUnavailable, saying how to go on, when that has ended. Else the user's.
absl::StatusOr<RunClient> OpenFor(const Globals& globals, const std::string& run);
// The same for a verb that only reads: a private run without daemons is read from its directory, which is
// said on stderr.
absl::StatusOr<RunClient> OpenToRead(const Globals& globals, const std::string& run);

// How a private run stands: from its own controller, else from its directory.
absl::StatusOr<v1::RunSummary> ReadPrivate(const PrivateRun& run);

void AddRunOption(CLI::App& app, std::string* run);

}  // namespace galley::trainctl
