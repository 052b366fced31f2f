// What a model's blocks work in, said apart from the blocks: pure, so that the plan measures what the engine
// takes. One list a family, made by its layout.cc; one line each in families.cc.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/layers/activations.h"

namespace galley::models {

// What one block works in for one micro-batch; each kind of block has its own.
struct Activations {
  virtual ~Activations() = default;
};

// CHECKs the kind.
template <class Kind>
const Kind& As(const Activations& activations) {
  const auto* kind = dynamic_cast<const Kind*>(&activations);
  CHECK(kind != nullptr) << "activations of another kind of block: layout and model disagree";
  return *kind;
}

// Takes a block's activations (layers/activations.h). Leaves the workspace at the mark it found.
using BlockLayout =
    std::function<std::unique_ptr<Activations>(const layers::Extent& extent, layers::Memory& memory)>;

struct ModelLayout {
  std::vector<BlockLayout> blocks;  // embedding, layers, head
  std::vector<Shape> constants;     // f32 tables that blocks read
};

// The residual block of GPT-2 and Llama (models/pre_norm_block.h).
struct PreNormSizes {
  int64_t hidden = 0;
  bool centred = false;  // layer normalisation, not RMS
  layers::AttentionSizes attention;
  layers::MlpSizes mlp;
};
struct PreNormActivations : Activations {
  View normed1, mid, normed2;  // (rows, hidden)
  layers::NormActivations norm1, norm2;
  layers::AttentionActivations attention;
  layers::MlpActivations mlp;
  View branch, dmid;  // (rows, hidden), workspace
};
BlockLayout PreNormLayout(const PreNormSizes& sizes);

// The two ends (models/ends.h). An embedding keeps nothing: tokens are the batch's own.
BlockLayout EmbeddingLayout();
struct HeadActivations : Activations {
  layers::LossActivations loss;
};
BlockLayout HeadLayout(int64_t hidden, bool centred);

}  // namespace galley::models
