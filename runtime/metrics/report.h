// A step record as a message: what a rank reports, trainerd samples and the controller passes on.
#pragma once

#include "galley/v1/rank.pb.h"
#include "runtime/metrics/step_record.h"

namespace galley::metrics {

v1::StepReport ToReport(const StepRecord& record);
StepRecord FromReport(const v1::StepReport& report);  // without values of metrics that this version lacks

}  // namespace galley::metrics
