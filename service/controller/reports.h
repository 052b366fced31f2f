// What a node's report means for a run: the translation from messages to events. Pure.
#pragma once

#include <string>
#include <vector>

#include "galley/v1/node.pb.h"
#include "service/controller/live.h"
#include "service/run/event.h"

namespace galley::service {

struct Meaning {
  std::string run_id;  // empty: the report is about no run
  std::vector<Event> events;
};

// live: of that run, or nullptr; fills in what the report does not say (the last step, the last losses).
Meaning MeaningOf(const v1::NodeReport& report, const Live* live);

}  // namespace galley::service
