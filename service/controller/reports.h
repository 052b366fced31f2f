// What a node's report means for a run: the translation from messages to events. Pure.
#pragma once

#include <vector>

#include "galley/v1/node.pb.h"
#include "service/controller/live.h"
#include "service/run/event.h"

namespace galley::service {

// Nothing for a report that is about no run. live: of its run, or nullptr; fills in what the report does not
// say (the last step, the last losses).
std::vector<Event> EventsOf(const v1::NodeReport& report, const Live* live);

}  // namespace galley::service
