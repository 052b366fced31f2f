// The run directory, as far as the controller writes it (docs/formats/run-directory.md). What it holds is a
// copy of the store, for people and scripts: it is never read back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/run/run.h"

namespace galley::service {

// The folder of a new run, with recipe.yaml, plan.json and logs/. The folder may be there before; of several
// that make a run in one folder, in any process, one has it.
class NewRunDir {
 public:
  // kAlreadyExists when another run lives in it. An error leaves nothing behind.
  static absl::StatusOr<NewRunDir> Make(const Run& run, const std::string& plan_json);
  // The run is not, after all: what Make made goes, and a folder with anything else in it stays.
  void Remove();

 private:
  absl::Status MakeFolder(const std::string& path);
  absl::Status Claim(const std::string& recipe);
  absl::Status Fill(const Run& run, const std::string& plan_json);

  std::vector<std::string> made_;  // files and folders, in the order in which they were made
};

// events.jsonl, whole.
absl::Status WriteEvents(const Run& run, const std::vector<EventRecord>& events);
// REQUIRES: WriteEvents or this has written every earlier one.
absl::Status AppendEvent(const Run& run, const EventRecord& event);

// result.json: how the run stands, now that it stands still.
absl::Status WriteResult(const Run& run);
void RemoveResult(const Run& run);  // it goes on

}  // namespace galley::service
