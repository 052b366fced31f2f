#include "runtime/models/gpt2/layout.h"

namespace galley::models {

PreNormSizes Gpt2Sizes(const recipe::Model& model) {
  return {
      .hidden = model.hidden,
      .centred = true,
      .attention = {.heads = model.heads, .kv_heads = model.heads, .head_dim = model.hidden / model.heads},
      .mlp = {.up = model.ffn, .down = model.ffn}};
}

ModelLayout Gpt2Layout(const recipe::Model& model) {
  const PreNormSizes sizes = Gpt2Sizes(model);
  ModelLayout layout;
  layout.blocks.push_back(EmbeddingLayout());
  layout.blocks.insert(layout.blocks.end(), static_cast<size_t>(model.layers), PreNormLayout(sizes));
  layout.blocks.push_back(HeadLayout(sizes.hidden, sizes.centred));
  return layout;
}

}  // namespace galley::models
