// Token embedding, with learned positions where the family has them.
//
// tokens: (rows) i32, each in [0, vocab).  table: (vocab, dim).  positions: (context, dim), or View{} for
// none.  y, dy: (rows, dim).  Row r stands at position
// places[r], (rows) i32, or with places View{} at r % sequence.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// y[r] = table[tokens[r]] + positions[position of r]. table, positions and y have one compute type.
void EmbeddingForward(CpuStream&, View tokens, View table, View positions, View places, int64_t sequence,
                      View y);
void EmbeddingForward(Stream&, View tokens, View table, View positions, View places, int64_t sequence,
                      View y);

// dtable[tokens[r]] += dy[r] and dpositions[position of r] += dy[r]; both f32, contiguous. A row of either
// table gathers its rows in ascending order of r, whatever the thread count.
void EmbeddingBackward(CpuStream&, View tokens, View dy, View places, int64_t sequence, View dtable,
                       View dpositions);
void EmbeddingBackward(Stream&, View tokens, View dy, View places, int64_t sequence, View dtable,
                       View dpositions);

}  // namespace galley::ops
