// From a submission to a run: everything that can be refused is refused here, with locations in the recipe,
// before anything is stored or started.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "galley/v1/controller.pb.h"
#include "runtime/prepare/prepare.h"
#include "runtime/recipe/fault.h"
#include "service/controller/checks.h"
#include "service/run/run.h"

namespace galley::service {

struct Submission {
  std::optional<Run> run;  // absent when `faults` holds an error
  std::shared_ptr<const prepare::Prepared> prepared;
  std::string plan_json;
  std::vector<recipe::Fault> faults;
};

// Reads files but writes none. memory_bytes: of the largest machine known. An error is about the request, not
// the recipe: a relative run directory, a checkpoint that cannot be opened, another run's checkpoint folder.
absl::StatusOr<Submission> CheckSubmission(const v1::SubmitRequest& request, int64_t memory_bytes,
                                           LargestIds& largest_ids);

void AddFaults(const std::vector<recipe::Fault>& faults,
               google::protobuf::RepeatedPtrField<v1::FaultMessage>* messages);

}  // namespace galley::service
