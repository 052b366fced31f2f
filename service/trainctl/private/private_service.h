// The controller and the trainerd that belong to one `trainctl train` or `resume`: spawned from the folder of
// this program, on a socket of their own, with their state in the run directory. They are the same daemons on
// the same path as a shared service's; if one dies it is started again and takes over what lives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "service/trainctl/private/client.h"

namespace galley::trainctl {

// Where a private run keeps its daemons' state, below its run directory.
inline constexpr char kPrivateState[] = ".service";

class PrivateService {
 public:
  // Returns when the controller answers. kFailedPrecondition when daemons of this run live already.
  static absl::StatusOr<std::unique_ptr<PrivateService>> Start(const std::string& run_dir,
                                                               const std::string& run_id);
  // Lets the daemons pause what still runs, and waits for their end.
  virtual ~PrivateService() = default;
  virtual Client& client() = 0;
};

// The address a private run's controller has, whether or not it lives.
absl::StatusOr<std::string> PrivateAddress(const std::string& run_id);

// Private runs leave a note in the state folder, so that `resume` finds them by id and by name.
struct PrivateRun {
  std::string run_id;
  std::string name;
  std::string run_dir;
};
absl::Status RememberPrivate(const Globals& globals, const PrivateRun& run);
// All that still have their directory, newest first.
absl::StatusOr<std::vector<PrivateRun>> PrivateRuns(const Globals& globals);
// A run directory, an id (or a unique prefix of 4 characters), or a name (the newest). kNotFound.
absl::StatusOr<PrivateRun> FindPrivate(const Globals& globals, const std::string& reference);

}  // namespace galley::trainctl
