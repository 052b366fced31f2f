// The program that runs, and those installed beside it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley {

// The path that `program` has when it stands in the folder of the running one, whether or not it does.
absl::StatusOr<std::string> PathBesideOurs(absl::string_view program);

}  // namespace galley
