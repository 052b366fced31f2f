// The three products of a linear layer y = x w^T + bias.
//
// x, dx: (rows, in).  y, dy: (rows, out).  w: (out, in).  bias: (out), or View{} for none.
// x, y, dx, dy and w have one compute type (f32 or bf16) and unit stride along a row; rows may be further
// apart than their length. bias is f32 or of the compute type. Sums are in f32. Where the processor cannot
// multiply bf16 (no AVX-512), bf16 operands are widened and the product is the f32 one, rounded once.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// y = x w^T (+ bias). y is written.
void MatmulForward(CpuStream&, View x, View w, View bias, View y);
void MatmulForward(Stream&, View x, View w, View bias, View y);

// dx = dy w. dx is written.
void MatmulBackwardInput(CpuStream&, View dy, View w, View dx);
void MatmulBackwardInput(Stream&, View dy, View w, View dx);

// dw += dy^T x; dbias += the sum of dy's rows, where dbias is not View{}.
// dw: (out, in) f32, contiguous.  dbias: (out) f32.
void MatmulBackwardWeight(CpuStream&, View x, View dy, View dw, View dbias);
void MatmulBackwardWeight(Stream&, View x, View dy, View dw, View dbias);

}  // namespace galley::ops
