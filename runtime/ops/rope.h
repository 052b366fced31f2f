// Rotary position embedding (Su et al., RoFormer, 2021) in the half layout: element i of a head is rotated
// with element i + head_dim / 2 by the angle position * base^(-2i / head_dim).
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// Fills table: (positions, head_dim) f32 in host memory; the first half of row p holds the cosines of
// position p, the second half the sines. head_dim is even. The angle is an f32 product, as in the reference.
void FillRopeTable(double base, View table);

// Rotates, in place, the first `heads` heads of each row of x: (rows, cols), cols >= heads * head_dim. In a
// fused [q | k | v] buffer that is query heads + key heads. positions: (rows) i32, each below the table's
// rows; View{}: row r has position r % sequence, and sequence <= the table's rows.
void RopeForward(CpuStream&, View table, int64_t heads, View positions, int64_t sequence, View x);
void RopeForward(Stream&, View table, int64_t heads, View positions, int64_t sequence, View x);

// The inverse rotation, in place: dx enters as the gradient of the rotated values and leaves as the gradient
// of the values before the rotation.
void RopeBackward(CpuStream&, View table, int64_t heads, View positions, int64_t sequence, View dx);
void RopeBackward(Stream&, View table, int64_t heads, View positions, int64_t sequence, View dx);

}  // namespace galley::ops
