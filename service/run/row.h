// A Run, and its plan, as the JSON texts that the store keeps of them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/run/run.h"

namespace galley::service {

std::string EncodeRun(const Run& run);  // without its plan
// Unknown keys are ignored and missing ones keep their default, so a row outlives additions. kDataLoss naming
// the key whose value no controller wrote: a state that is none, a count below 0, a rank on two nodes.
absl::StatusOr<Run> DecodeRun(absl::string_view json);

std::string EncodePlan(const RunPlan& plan);
absl::StatusOr<RunPlan> DecodePlan(absl::string_view json);

// A row of schema 1, which held the plan's fields too, and one node instead of a placement.
absl::StatusOr<Run> DecodeRunOfSchema1(absl::string_view json);

}  // namespace galley::service
