// Gaussian error linear unit (Hendrycks and Gimpel, 2016), in the two forms that models are trained with.
// They differ by up to 5e-4, so a recipe names one.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

enum class Gelu {
  kTanh,  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  kErf,   // 0.5 x (1 + erf(x / sqrt 2))
};

// x, y, dy, dx: (rows, cols) of one compute type; maths in f32. y may be x.
void GeluForward(CpuStream&, Gelu kind, View x, View y);
void GeluForward(Stream&, Gelu kind, View x, View y);

// dx = dy * gelu'(x), written; it may be dy or x.
void GeluBackward(CpuStream&, Gelu kind, View x, View dy, View dx);
void GeluBackward(Stream&, Gelu kind, View x, View dy, View dx);

}  // namespace galley::ops
