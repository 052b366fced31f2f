// The element-wise reductions of the collectives: out = a (+ or max) b over `count` elements. out may be a or
// b. One thread, vectorised. Each call is a pure function of its operands, so equal inputs give equal bits.
#pragma once

#include <cstdint>

#include "runtime/tensor/dtype.h"

namespace galley::comm {

using ReduceFn = void (*)(void* out, const void* a, const void* b, int64_t count);

// f32, f64, or bf16 (added in f32, rounded to nearest even). CHECKs the type.
ReduceFn SumOf(DType dtype);
// f32, f64, i64. A NaN on either side wins, so that no rank misses it.
ReduceFn MaxOf(DType dtype);

}  // namespace galley::comm
