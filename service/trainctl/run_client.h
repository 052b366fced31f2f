// Which controller keeps a run: the one named, or a private one that lives now, or the user's.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "service/trainctl/client.h"

namespace galley::trainctl {

struct RunClient {
  std::unique_ptr<Client> client;
  std::string run;  // what that controller knows it by
};

// With --controller or GALLEY_CONTROLLER: that one. Else, when `run` is the directory, id or name of a
// private run: its own controller; kUnavailable, saying how to go on, when that has ended. Else the user's.
absl::StatusOr<RunClient> OpenFor(const Globals& globals, const std::string& run);

void AddRunOption(CLI::App& app, std::string* run);

}  // namespace galley::trainctl
