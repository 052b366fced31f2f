// A rank lives on while its trainerd is replaced, and goes on to report as the version it is of.
#pragma once

#include "galley/v1/rank.pb.h"
#include "runtime/metrics/step_record.h"

namespace galley::metrics {

// Of the fields that were before `values`; nothing measured where they are not set either.
StepRecord FromOlderReport(const v1::StepReport& report);

}  // namespace galley::metrics
