// Which families there are: the list that the recipe's reader, the plan and the engine are given.
#pragma once

#include <vector>

#include "runtime/models/layout.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/family.h"

namespace galley::models {

struct Family {
  const recipe::Family& recipe;  // its keys and their checks
  plan::ModelCard (*describe)(const recipe::RecipeSpec& spec, int64_t padded_vocab);
  ModelLayout (*layout)(const recipe::Model& model);
};

const std::vector<Family>& Families();

recipe::Families RecipeFamilies();

}  // namespace galley::models
