// An exporter of tests: adds the steps it is given to a list.
#pragma once

#include <cstdint>
#include <vector>

#include "service/node/exporter_kinds.h"

namespace galley::service {

inline constexpr auto kToyExporter = static_cast<v1::ExporterKind::Value>(1000);

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenToyExporter(const ExporterOrder& order);

// Read after Drain only: another thread writes.
std::vector<int64_t>& ToySteps();

}  // namespace galley::service
