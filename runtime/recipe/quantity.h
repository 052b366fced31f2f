// Numbers, amounts and durations as recipes write them. Grammar: docs/recipe.md, "Quantities". Errors are
// texts for a fault, without subject: "expected a whole number, got 'x'".
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/recipe/spec.h"

namespace galley::recipe {

absl::StatusOr<int64_t> ParseInteger(absl::string_view text);   // "1024", "1_000_000", "5M", "1e6", "2.5B"
absl::StatusOr<double> ParseNumber(absl::string_view text);     // the same, any decimal; finite
absl::StatusOr<Amount> ParseAmount(absl::string_view text);     // "100 steps", "5M samples", "300B tokens"
absl::StatusOr<int64_t> ParseDuration(absl::string_view text);  // seconds of "90s", "19h50m", "3d"

std::string PrintNumber(double value);  // shortest text that reads back as the same double
std::string PrintAmount(const Amount& amount);
std::string PrintDuration(int64_t seconds);

}  // namespace galley::recipe
