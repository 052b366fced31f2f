// GPT-2: what its blocks work in. Pure.
#pragma once

#include "runtime/models/layout.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

PreNormSizes Gpt2Sizes(const recipe::Model& model);
ModelLayout Gpt2Layout(const recipe::Model& model);

}  // namespace galley::models
