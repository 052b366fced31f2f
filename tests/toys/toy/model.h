#pragma once

#include "runtime/models/model.h"

namespace galley::models {

Model MakeToy(const recipe::Model& spec, const StageParts& parts);

}  // namespace galley::models
