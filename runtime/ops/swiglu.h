// SwiGLU (Shazeer, "GLU Variants Improve Transformer", 2020): y = silu(gate) * up, silu(a) = a / (1 + e^-a).
//
// gate_up, dgate_up: (rows, 2 f), columns [gate | up].  y, dy: (rows, f). One compute type; maths in f32.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

void SwigluForward(CpuStream&, View gate_up, View y);
void SwigluForward(Stream&, View gate_up, View y);

// dgate_up is written; it may be gate_up itself.
void SwigluBackward(CpuStream&, View gate_up, View dy, View dgate_up);
void SwigluBackward(Stream&, View gate_up, View dy, View dgate_up);

}  // namespace galley::ops
