// Small maps over elements.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// y = a + b. a, b, y: (rows, cols) of one compute type; summed in f32, rounded once. y may be a or b.
void Add(CpuStream&, View a, View b, View y);
void Add(Stream&, View a, View b, View y);

// to = from, converted between f32 and bf16 (nearest, ties to even) or copied. Contiguous, equal elements.
void Convert(CpuStream&, View from, View to);
void Convert(Stream&, View from, View to);

// x *= factor. x: contiguous f32.
void Scale(CpuStream&, float factor, View x);
void Scale(Stream&, float factor, View x);

// x = 0. x: contiguous, any type.
void Zero(CpuStream&, View x);
void Zero(Stream&, View x);

// sum[0] += the sum of x^2. x: contiguous f32.  sum: (1) f64. The order of summation depends on the number
// of elements only, not on threads. An infinity or a NaN anywhere in x makes the sum not finite, so this
// is the all-finite check too.
void AddSumOfSquares(CpuStream&, View x, View sum);
void AddSumOfSquares(Stream&, View x, View sum);

}  // namespace galley::ops
