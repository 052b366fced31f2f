// An exporter of tests: adds the steps it is given to a list.
#pragma once

#include <cstdint>
#include <vector>

#include "service/node/exporter_kinds.h"

namespace galley::service {

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenToyExporter(const ExporterOrder& order);

// Read after Drain only: another thread writes.
std::vector<int64_t>& ToySteps();

}  // namespace galley::service
