// metrics.jsonl: one JSON object a step, one line each (docs/formats/metrics-jsonl.md).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/metrics/sink.h"

namespace galley::exporters {

// Appends to `path`, each line by one write. What a killed writer left is put in order first: a last line
// without its newline is cut off. A record that is in the file already (not after the last line's attempt and
// step) is skipped, so records may be delivered again; one of a lower attempt than the last line's is an
// error. kAlreadyExists when another process writes to the file; a sink at rest does not hold it.
absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenJsonl(const std::string& path);

}  // namespace galley::exporters
