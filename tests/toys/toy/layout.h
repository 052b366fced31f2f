#pragma once

#include "runtime/models/layout.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

ModelLayout ToyLayout(const recipe::Model& model);

}  // namespace galley::models
