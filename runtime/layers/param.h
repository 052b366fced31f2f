// A parameter as a layer sees it. The table that owns these (models::ParamTable) binds the views after the
// layers were made, so layers keep a pointer and read it at each call.
#pragma once

#include "runtime/tensor/view.h"

namespace galley::layers {

struct Param {
  View weight;  // of the compute type (f32 or bf16): what matrix products and look-ups read
  View master;  // f32, what gains and biases are read from; in f32 the same memory as `weight`
  View grad;    // f32; gradients are added to it over the micro-batches of a step
};

}  // namespace galley::layers
