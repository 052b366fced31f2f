// Which engine each family has. Apart from families.h, so that programs without the engine can link that.
#pragma once

#include <vector>

#include "runtime/models/model.h"
#include "runtime/recipe/family.h"

namespace galley::models {

struct Maker {
  const recipe::Family& family;
  Model (*make)(const recipe::Model& spec, const StageParts& parts);
};

// One for each of Families().
const std::vector<Maker>& Makers();

}  // namespace galley::models
