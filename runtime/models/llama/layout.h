// Llama: what its blocks work in. Pure.
#pragma once

#include "runtime/models/layout.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

PreNormSizes LlamaSizes(const recipe::Model& model);
// One constant: the rotation's table, (context, head_dim).
ModelLayout LlamaLayout(const recipe::Model& model);

}  // namespace galley::models
