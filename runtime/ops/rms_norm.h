// Root-mean-square normalisation (Zhang and Sennrich, 2019): y = n * gain, n = x * inv_rms with
// inv_rms = 1 / sqrt(mean(x^2) + eps). n is computed in f32 and rounded to the compute type before it is
// multiplied by the gain: the order of Hugging Face's Llama, which matters for equal bits in bf16.
//
// x, y, dy, dx: (rows, dim) of one compute type.  gain: (dim), f32 or of the compute type.
// inv_rms: (rows) f32.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// Writes y and inv_rms.
void RmsNormForward(CpuStream&, View x, View gain, float eps, View y, View inv_rms);
void RmsNormForward(Stream&, View x, View gain, float eps, View y, View inv_rms);

// dx is written: the gradient of x, plus `residual` (rows, dim) where that is not View{}: what reaches x
// along the branch that skips the norm. dx may be residual or dy. dgain, (dim) f32, is added to.
// REQUIRES: inv_rms is what RmsNormForward left for this x.
void RmsNormBackward(CpuStream&, View x, View gain, View inv_rms, View dy, View residual, View dx,
                     View dgain);
void RmsNormBackward(Stream&, View x, View gain, View inv_rms, View dy, View residual, View dx, View dgain);

}  // namespace galley::ops
