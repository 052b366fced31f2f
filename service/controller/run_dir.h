// The run directory, as far as the controller writes it (docs/formats/run-directory.md). What it holds is a
// copy of the store, for people and scripts: it is never read back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/run/run.h"

namespace galley::service {

// Makes the folder with recipe.yaml, plan.json and logs/. kAlreadyExists when another run lives in it.
absl::Status MakeRunDir(const Run& run, const std::string& plan_json);

// events.jsonl, whole.
absl::Status WriteEvents(const Run& run, const std::vector<EventRecord>& events);
// REQUIRES: WriteEvents or this has written every earlier one.
absl::Status AppendEvent(const Run& run, const EventRecord& event);

// result.json: how the run stands, now that it stands still.
absl::Status WriteResult(const Run& run);
void RemoveResult(const Run& run);  // it goes on

}  // namespace galley::service
