// A Model is an ordered list of blocks. A family says what each block computes; it knows nothing of ranks,
// accumulation, recomputation or sharding: the walker (runtime/train/step.cc) drives the blocks, owns what
// flows between them and hands the gradients on.
#pragma once

#include <memory>
#include <vector>

#include "runtime/layers/lay.h"
#include "runtime/models/params.h"
#include "runtime/recipe/spec.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/stream.h"

namespace galley::models {

// One micro-batch. It may be smaller than what the model was laid for.
struct Batch {
  View tokens;  // (batch, sequence) i32, in [0, vocab)
  View labels;  // (batch, sequence) i32, the token to predict at each place, or -1 for none; empty for logits
                // only
  View starts =
      {};  // (batch, sequence) i32: where in the sample each place's document begins; View{}: no borders
  View positions = {};   // (batch, sequence) i32, for position embeddings; View{}: the place in the sample
  bool backward = true;  // Backward follows Forward
  float grad_scale = 1;  // the backward pass differentiates grad_scale * (sum of the losses of all places)
  View loss;             // (2) f64: the sum of losses in nats and the number of places with a label are added

  layers::Places places() const {
    const auto flat = [](View v) { return v.data == nullptr ? v : v.Reshape({v.elements()}); };
    return {.sequence = tokens.shape[1], .starts = flat(starts), .positions = flat(positions)};
  }
};

// Residual streams x, y: (batch * sequence, hidden) of the compute type.
class Block {
 public:
  virtual ~Block() = default;
  // The block's own parameters start here in the card's table and end where the next block's start. A tied
  // head also adds to the embedding's gradient, which is complete only after the first block's backward.
  virtual int first_param() const = 0;
  // layers/lay.h. Leaves `scratch` at the mark where it was: blocks share it.
  virtual void Lay(layers::Extent extent, Arena& kept, Arena& scratch) = 0;
  virtual void Forward(Stream& stream, const Batch& batch, View x, View y) = 0;
  // REQUIRES: Forward ran last on the same batch and x, and Backward did not run since. Writes dx, which may
  // not overlap dy, and adds to the parameters' gradients.
  virtual void Backward(Stream& stream, const Batch& batch, View x, View dy, View dx) = 0;
};

// The last block: final norm, projection to the vocabulary and cross-entropy. Its y and dy are unused. The
// loss is in batch.loss after Forward without, and after Backward with batch.backward.
class Head : public Block {
 public:
  // logits: (rows, vocab) f32 from x: (rows, hidden). For generation.
  virtual void Logits(Stream& stream, View x, View logits) = 0;
};

struct Model {
  std::vector<Buffer> constants;               // tables that blocks read
  std::vector<std::unique_ptr<Block>> blocks;  // embedding (its x and dx are unused), layers, head
  Head& head() const { return static_cast<Head&>(*blocks.back()); }
};

// `params` must outlive the model. CHECKs that the table is the family's own.
Model MakeModel(const recipe::Model& spec, const ParamTable& params);

}  // namespace galley::models
