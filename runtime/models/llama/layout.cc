#include "runtime/models/llama/layout.h"

#include "runtime/models/llama/keys.h"

namespace galley::models {

PreNormSizes LlamaSizes(const recipe::Model& model) {
  return {.hidden = model.hidden,
          .centred = false,
          .attention = {.heads = model.heads,
                        .kv_heads = model.keys.As<LlamaKeys>().kv_heads,
                        .head_dim = model.hidden / model.heads},
          .mlp = {.up = 2 * model.ffn, .down = model.ffn}};
}

ModelLayout LlamaLayout(const recipe::Model& model) {
  const PreNormSizes sizes = LlamaSizes(model);
  ModelLayout layout;
  layout.blocks.push_back(EmbeddingLayout());
  layout.blocks.insert(layout.blocks.end(), static_cast<size_t>(model.layers), PreNormLayout(sizes));
  layout.blocks.push_back(HeadLayout(sizes.hidden, sizes.centred));
  layout.constants.push_back({model.context, sizes.attention.head_dim});
  return layout;
}

}  // namespace galley::models
