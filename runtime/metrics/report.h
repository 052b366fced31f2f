// A step record as a message: what a rank reports, trainerd samples and the controller passes on.
#pragma once

#include "galley/v1/rank.pb.h"
#include "runtime/metrics/step_record.h"

namespace galley::metrics {

v1::StepReport ToReport(const StepRecord& record);
// Without values of metrics that this version lacks. Also of a report of an older version.
StepRecord FromReport(const v1::StepReport& report);

}  // namespace galley::metrics
