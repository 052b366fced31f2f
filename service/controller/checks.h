// What a recipe needs of the machine: its data, room on disk, memory.
#pragma once

#include <string>
#include <vector>

#include "runtime/prepare/prepare.h"

namespace galley::service {

// Appends a fault, with the place of the field it is about, for everything that would make the run fail
// later.
void CheckMachine(const prepare::Prepared& prepared, const recipe::RecipeText& text,
                  const std::string& run_dir, int64_t memory_bytes, std::vector<recipe::Fault>* faults);

}  // namespace galley::service
