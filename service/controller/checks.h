// What a recipe needs of the machine: its data, space on disk, memory.
#pragma once

#include <string>
#include <vector>

#include "runtime/prepare/prepare.h"
#include "service/controller/largest_ids.h"

namespace galley::service {

// Appends a fault, with its field's location, for everything that would make the run fail later.
void CheckMachine(const prepare::Prepared& prepared, const recipe::Origins& origins,
                  const std::string& run_dir, int64_t memory_bytes, LargestIds& largest_ids,
                  std::vector<recipe::Fault>* faults);

}  // namespace galley::service
