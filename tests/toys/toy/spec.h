#pragma once

#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

plan::ModelCard DescribeToy(const recipe::RecipeSpec& spec, int64_t padded_vocab);

}  // namespace galley::models
