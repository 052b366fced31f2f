// Layer normalisation (Ba, Kiros, Hinton, "Layer Normalization", 2016), biased variance:
// y = (x - mean) * inv_std * gain + bias with inv_std = 1 / sqrt(var + eps), all in f32, rounded once.
//
// x, y, dy, dx: (rows, dim) of one compute type.  gain, bias: (dim), f32 or of the compute type.
// mean, inv_std: (rows) f32.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// Writes y, mean and inv_std.
void LayerNormForward(CpuStream&, View x, View gain, View bias, float eps, View y, View mean, View inv_std);
void LayerNormForward(Stream&, View x, View gain, View bias, float eps, View y, View mean, View inv_std);

// dx is written: the gradient of x, plus `residual` (rows, dim) where that is not View{}: what reaches x
// along the branch that skips the norm. dx may be residual or dy. dgain and dbias, (dim) f32, are added to.
// REQUIRES: mean and inv_std are what LayerNormForward left for this x.
void LayerNormBackward(CpuStream&, View x, View gain, View mean, View inv_std, View dy, View residual,
                       View dx, View dgain, View dbias);
void LayerNormBackward(Stream&, View x, View gain, View mean, View inv_std, View dy, View residual, View dx,
                       View dgain, View dbias);

}  // namespace galley::ops
