// A parameter as a layer sees it. The table that owns these (models::ParamTable) binds the views after the
// layers were made, so layers keep a pointer and read it at each call.
#pragma once

#include "runtime/tensor/view.h"

namespace galley::layers {

struct Param {
  View weight;  // compute element type (f32 or bf16)
  View grad;    // f32, same shape; gradients are added to it over the micro-batches of a step
};

}  // namespace galley::layers
