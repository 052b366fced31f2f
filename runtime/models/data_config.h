// The recipe's data section, and what the plan adds to it, in the data room's plain numbers.
#pragma once

#include "runtime/data/data_plan.h"
#include "runtime/models/prepare.h"

namespace galley::models {

data::DataConfig DataConfigOf(const Prepared& prepared);

}  // namespace galley::models
