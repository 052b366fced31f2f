// A Model is an ordered list of blocks. A family says what each block computes; it knows nothing of ranks,
// micro-batches, recomputation or sharding: the walker (runtime/train/step.cc) drives the blocks, owns what
// flows between them and hands the gradients on.
#pragma once

#include <memory>
#include <vector>

#include "runtime/models/params.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/stream.h"

namespace galley::models {

// One micro-batch. B and T may be smaller than what the model was laid for.
struct Batch {
  View tokens;           // (B, T) i32, in [0, vocab)
  View labels;           // (B, T) i32, the token to predict at each place; empty where no loss is asked for
  float loss_scale = 1;  // the backward pass differentiates loss_scale * (sum of the losses of all places)
};

// Residual streams x, y: (B * T, hidden) of the compute type.
class Block {
 public:
  virtual ~Block() = default;
  // The block's own parameters start here in the card's table and end where the next block's start. A tied
  // head also adds to the embedding's gradient, which is complete only after the first block's backward.
  virtual int first_param() const = 0;
  // Takes what lives from Forward to Backward out of `kept`, and what lives within one call out of
  // `scratch`, which blocks share. Called once to measure and once to bind.
  virtual void Lay(Arena& kept, Arena& scratch) = 0;
  virtual void Forward(Stream& stream, const Batch& batch, View x, View y) = 0;
  // REQUIRES: Forward ran last on the same batch and x. Writes dx (which may not overlap dy) and adds to the
  // parameters' gradients.
  virtual void Backward(Stream& stream, const Batch& batch, View x, View dy, View dx) = 0;
};

// The last block: final norm, projection to the vocabulary and cross-entropy. Its y and dy are unused.
class Head : public Block {
 public:
  // (B * T) f32, nats of each place, after Forward.
  virtual View losses() const = 0;
  // logits: (rows, padded vocabulary) f32 from x: (rows, hidden). For generation.
  virtual void Logits(Stream& stream, View x, View logits) = 0;
};

struct Model {
  std::vector<std::unique_ptr<Block>> blocks;  // embedding (its x and dx are unused), layers, head
  Head& head() const { return static_cast<Head&>(*blocks.back()); }
};

struct Extent {
  int64_t batch = 0;    // the most sequences of a micro-batch
  int64_t context = 0;  // the most places of a sequence
  int64_t rows() const { return batch * context; }
};

// `spec` and `params` must outlive the model. CHECKs that the table is the family's own.
Model MakeModel(const recipe::Model& spec, const ParamTable& params, Extent extent, DType compute);

}  // namespace galley::models
