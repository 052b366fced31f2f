// The loss of a run as a picture of characters.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace galley::trainctl {

struct CurveSize {
  int columns = 64;  // of the plot, without its scale
  int rows = 14;
};

// From metrics.jsonl: '*' the mean training loss of each column's steps, 'o' a validation loss; steps taken
// again count as their last attempt saw them. kNotFound when no step is recorded.
absl::StatusOr<std::string> LossCurve(const std::string& metrics_path, const CurveSize& size = {});

}  // namespace galley::trainctl
