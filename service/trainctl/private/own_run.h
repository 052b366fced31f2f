// A run whose daemons are this process's: what `train` and `resume` do once it is submitted.
#pragma once

#include <string>

#include "service/trainctl/private/private_service.h"

namespace galley::trainctl {

// Follows the run to its end, prints how it stands and, where it may go on, how. Gives the exit code.
int FollowOwnRun(PrivateService& service, const PrivateRun& run, const Globals& globals);

}  // namespace galley::trainctl
