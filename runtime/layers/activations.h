// What layers work in, apart from the layers: tensors of one micro-batch, so that several may be in flight.
// Pure shapes, no op behind them: the plan measures with the functions that the engine binds with.
//
// Each function takes its tensors from Memory's arenas; their views hold null while those measure. Forward
// and Backward may be given fewer rows than were allocated; they then use the first rows of their tensors.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/tensor/arena.h"
#include "runtime/tensor/view.h"

namespace galley::layers {

struct Extent {
  int64_t rows = 0;      // the most tokens of a micro-batch
  int64_t sequence = 0;  // and of a sample
  int64_t vocab = 0;     // rows of the projection to logits, padded
  DType compute = DType::kF32;
  int threads = 1;
};

struct Memory {
  Arena kept;           // what lives from a micro-batch's forward to its backward pass, or longer
  Arena workspace;      // what lives within one call; blocks and micro-batches share it
  int64_t scratch = 0;  // the most bytes that any op takes from its stream (ops/scratch.h)

  void Scratch(int64_t bytes) { scratch = std::max(scratch, bytes); }
  int64_t bytes() const { return kept.peak() + workspace.peak() + scratch; }
};

// Arenas on a device that have what `measured` took at most. Scratch is the
// stream's, reserved when it is made.
Memory BindMemory(const Device& device, const Memory& measured);

// How the rows of a micro-batch make up samples of `length` rows each.
struct Sequences {
  int64_t length = 0;
  View starts = {};     // (rows) i32, ops/attention.h: where each row's document begins; View{}: no borders
  View positions = {};  // (rows) i32, what position embeddings go by; View{}: the index in the sample
};

struct NormActivations {
  View inv;   // (rows) f32
  View mean;  // (rows) f32, layer normalisation only
};
// centred: layer normalisation, else RMS.
NormActivations AllocateNorm(const Extent& extent, int64_t dim, bool centred, Memory& memory);

struct AttentionSizes {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  bool causal = true;

  int64_t joint() const { return (heads + 2 * kv_heads) * head_dim; }
  int64_t attended() const { return heads * head_dim; }
};
struct AttentionActivations {
  View joint;              // (rows, joint()): q, k, v after the rotation
  View attended;           // (rows, attended())
  View log_sum;            // (rows, heads) f32
  View djoint, dattended;  // workspace
};
AttentionActivations AllocateAttention(const Extent& extent, const AttentionSizes& sizes, Memory& memory);

struct MlpSizes {
  int64_t up = 0;    // columns before the activation: ffn, or 2 ffn where it is gated
  int64_t down = 0;  // after it: ffn
};
struct MlpActivations {
  View before;  // (rows, up): the backward pass writes its gradient over it
  View after;   // (rows, down)
  View dafter;  // workspace
};
MlpActivations AllocateMlp(const Extent& extent, const MlpSizes& sizes, Memory& memory);

struct LossActivations {
  NormActivations norm;
  View normed, dnormed;  // (rows, hidden), workspace
  View wide;             // (rows, hidden) f32, workspace
};
LossActivations AllocateLoss(const Extent& extent, int64_t hidden, bool centred, Memory& memory);

}  // namespace galley::layers
