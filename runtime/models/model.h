// A Model is an ordered list of blocks. A family says what each block computes; it knows nothing of ranks,
// accumulation, recomputation or sharding: the engine (models/engine.h) drives the blocks and owns what flows
// between them. Blocks hold no state of a micro-batch: what they work in is handed to each call.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/layers/activations.h"
#include "runtime/models/layout.h"
#include "runtime/models/params.h"
#include "runtime/models/stage.h"
#include "runtime/recipe/spec.h"
#include "runtime/tensor/stream.h"

namespace galley::models {

// One micro-batch. It may be smaller than what the engine was made for.
struct Batch {
  View tokens;  // (batch, sequence) i32, in [0, vocab)
  // (batch, sequence) i32: the token to predict at each position, -1 for none; View{}: no loss is asked for
  View labels;
  // (batch, sequence) i32: where in the sample each position's document begins; View{}: no borders
  View starts = {};
  View positions = {};   // (batch, sequence) i32, for position embeddings; View{}: the index in the sample
  bool backward = true;  // Backward follows Forward
  float grad_scale = 1;  // the backward pass differentiates grad_scale * (sum of the losses of all positions)
  View loss;             // (2) f64: the sum of losses in nats and the number of labels are added

  int64_t rows() const { return tokens.elements(); }
  layers::Sequences sequences() const {
    const auto flat = [](View v) { return v.data == nullptr ? v : v.Reshape({v.elements()}); };
    return {.length = tokens.shape[1], .starts = flat(starts), .positions = flat(positions)};
  }
};

// Residual streams x, y: (batch * sequence, hidden) of the compute type. `a`: of the kind that the family's
// layout makes for this block.
class Block {
 public:
  virtual ~Block() = default;
  // The block's own parameters start here in the stage's table and end where the next block's start. A tied
  // head also adds to the embedding's gradient, which is complete only after the first block's backward.
  virtual int first_param() const = 0;
  virtual void Forward(Stream& stream, const Batch& batch, const Activations& a, View x, View y) const = 0;
  // REQUIRES: `a` is what Forward left for the same batch and x, and Backward did not run on it since. Writes
  // dx, which may not overlap dy, and adds to the parameters' gradients.
  virtual void Backward(Stream& stream, const Batch& batch, const Activations& a, View x, View dy,
                        View dx) const = 0;
};

// The last block: final norm, projection to the vocabulary and cross-entropy. Its y and dy are unused. The
// loss is in batch.loss after Forward without, and after Backward with batch.backward.
class Head : public Block {
 public:
  // logits: (rows, vocab) f32 from x: (rows, hidden). For generation.
  virtual void Logits(Stream& stream, const Activations& a, View x, View logits) const = 0;
};

// Blocks of a stage: an embedding (its x and dx are unused) on the first, the head on the last.
struct Model {
  std::vector<std::unique_ptr<Block>> blocks;
  // REQUIRES: the stage ends with the head.
  const Head& head() const { return dynamic_cast<const Head&>(*blocks.back()); }
};

// What a stage is made of.
struct StageParts {
  const ParamTable& params;  // of its blocks (StageCard); must outlive the model
  BlockRange blocks;
  std::span<const View> constants;  // the layout's, which the model fills
  Stream& stream;
};
// CHECKs that the table is the family's own.
Model MakeModel(const recipe::Model& spec, const StageParts& parts);

}  // namespace galley::models
