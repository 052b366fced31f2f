// A shared secret in a file: what a controller asks of its callers, and what they show it.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace galley {

// The first line of `path` without blanks around it. kPermissionDenied when other users may read the file,
// kInvalidArgument when that line is empty.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

}  // namespace galley
