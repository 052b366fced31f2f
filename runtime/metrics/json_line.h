// A step's line in metrics.jsonl (docs/formats/metrics-jsonl.md).
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "runtime/metrics/step_record.h"

namespace galley::metrics {

// Without its newline. Numbers are written in the fewest digits that read back to the same double; one that
// is not finite is null.
std::string JsonLine(const StepRecord& record);

// What JsonLine wrote; none where the text is no object with an integer `step`. Keys that the table lacks,
// and values of another type than the metric's, are left out.
std::optional<StepRecord> ReadJsonLine(absl::string_view line);

}  // namespace galley::metrics
