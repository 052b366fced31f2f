// Token embedding, with learned positions where the family has them.
//
// tokens: (rows) i32, each in [0, vocab).  table: (vocab, dim).  position_table: (context, dim), or View{}
// for none.  positions: (rows) i32, the position of each row; View{}: r % sequence.  y, dy: (rows, dim).
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// y[r] = table[tokens[r]] + position_table[position of r]. table, position_table and y have one compute type.
void EmbeddingForward(CpuStream&, View tokens, View table, View position_table, View positions,
                      int64_t sequence, View y);
void EmbeddingForward(Stream&, View tokens, View table, View position_table, View positions, int64_t sequence,
                      View y);

// dtable[tokens[r]] += dy[r] and dposition_table[position of r] += dy[r]; both f32, contiguous. A row of
// either table gathers its rows in ascending order of r, whatever the thread count.
void EmbeddingBackward(CpuStream&, View tokens, View dy, View positions, int64_t sequence, View dtable,
                       View dposition_table);
void EmbeddingBackward(Stream&, View tokens, View dy, View positions, int64_t sequence, View dtable,
                       View dposition_table);

}  // namespace galley::ops
