// A Run as the JSON text that the store keeps of it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/run/run.h"

namespace galley::service {

std::string EncodeRun(const Run& run);
// Unknown keys are ignored and missing ones keep their default, so a row outlives additions. kDataLoss.
absl::StatusOr<Run> DecodeRun(absl::string_view json);

}  // namespace galley::service
