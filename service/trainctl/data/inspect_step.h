// What `trainctl data inspect --run` prints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "service/trainctl/verb.h"

namespace galley::trainctl {

struct InspectStep {
  std::string run;
  std::optional<int64_t> step;
  std::optional<int64_t> rank;    // its samples only
  std::optional<int64_t> sample;  // of those, counted from 0
  bool ids = false;               // in place of text
};

// kDataLoss, after printing, when metrics.jsonl recorded other samples.
absl::Status PrintStep(const InspectStep& what, const Globals& globals);

}  // namespace galley::trainctl
