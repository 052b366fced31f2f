// General matrix product on the CPU, behind the ops that need one. Included by *_cpu.cc only.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// The same memory read as the transposed matrix.
View Transposed(View v);

// c = a b, plus bias in every row where bias is not View{}; or, where `accumulate`, c += a b without bias.
// a: (m, k), b: (k, n), of one compute type and with unit stride in one direction.  c: (m, n), f32 or the
// compute type, rows of unit stride.  bias: (n), f32 or of the compute type. Sums are in f32.
// Done by oneDNN where it has a kernel for these types on this processor that allocates nothing, else by
// BlockedGemm. Which one is fixed by the types and the processor, so equal runs take equal paths.
void Gemm(CpuStream&, View a, View b, View bias, bool accumulate, View c);

// Ours: blocks packed into cache as f32 (bf16 is widened on the way), one TileProduct at a time.
void BlockedGemm(CpuStream&, View a, View b, View bias, bool accumulate, View c);

// oneDNN's. False, with nothing done, where it has none that fits.
bool DnnlGemm(CpuStream&, View a, View b, View bias, bool accumulate, View c);

}  // namespace galley::ops
