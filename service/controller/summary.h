// Rows and events as messages.
#pragma once

#include <string>

#include "galley/v1/controller.pb.h"
#include "service/controller/live.h"
#include "service/run/run.h"

namespace galley::service {

// next: what happens next, in words. live: nullptr when nothing is known beyond the row. now_unix_ms: for the
// wall time of a session that goes on.
v1::RunSummary Summarize(const Run& run, const Live* live, const std::string& next, int64_t now_unix_ms);
v1::EventMessage MessageOf(const EventRecord& record);

}  // namespace galley::service
