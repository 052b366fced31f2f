// Self-attention, softmax(q k^T / sqrt(head_dim)) v, without the matrix of scores in memory: tiles
// with a running maximum (Dao et al., "FlashAttention", 2022). Softmax and sums in f32.
//
// A row is a token; sample b owns rows [b * sequence, (b + 1) * sequence). Query head h reads key/value
// head h / (heads / kv_heads).
//
// A row attends to the rows of its document, causally to those up to itself.
// starts: (rows) i32: at which row of its sample each row's document begins. Along a sample it never falls,
// and it is at most the row's own index. View{}: a sample is one document.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

struct AttentionShape {
  int64_t heads = 0;
  int64_t kv_heads = 0;  // divides heads
  int64_t head_dim = 0;
  int64_t sequence = 0;  // divides the rows
  bool causal = true;
};

// qkv: (rows, (heads + 2 kv_heads) * head_dim), columns [q heads | k heads | v heads].
// y: (rows, heads * head_dim).  log_sum: (rows, heads) f32, the logarithm of each softmax's denominator.
// y and log_sum are written.
void AttentionForward(CpuStream&, const AttentionShape&, View qkv, View starts, View y, View log_sum);
void AttentionForward(Stream&, const AttentionShape&, View qkv, View starts, View y, View log_sum);

// dqkv, shaped as qkv, is written. dqkv must not be qkv.
// REQUIRES: y and log_sum are what AttentionForward left for this qkv and these starts.
void AttentionBackward(CpuStream&, const AttentionShape&, View qkv, View starts, View y, View log_sum,
                       View dy, View dqkv);
void AttentionBackward(Stream&, const AttentionShape&, View qkv, View starts, View y, View log_sum, View dy,
                       View dqkv);

}  // namespace galley::ops
