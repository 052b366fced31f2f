#include "runtime/models/llama/model.h"

#include <utility>

#include "runtime/layers/attention.h"
#include "runtime/layers/mlp.h"
#include "runtime/layers/norm.h"
#include "runtime/models/ends.h"
#include "runtime/models/llama/keys.h"
#include "runtime/models/pre_norm_block.h"
#include "runtime/ops/rope.h"

namespace galley::models {

Model MakeLlama(const recipe::Model& spec, const ParamTable& params) {
  const auto& keys = spec.keys.As<LlamaKeys>();
  ParamCursor next(params);
  auto norm = [&](absl::string_view name) { return layers::Norm(next.Next(name), nullptr, spec.norm_eps); };
  Model model;
  const Shape table{spec.context, spec.hidden / spec.heads};
  Buffer& rope = model.constants.emplace_back(Device(), table.elements() * SizeOf(DType::kF32));
  const View rope_table(rope.data(), DType::kF32, table);
  ops::FillRopeTable(keys.rope_base, rope_table);
  const layers::AttentionSpec attention{.heads = spec.heads,
                                        .kv_heads = keys.kv_heads,
                                        .head_dim = spec.hidden / spec.heads,
                                        .rope = rope_table};
  const layers::Param* tokens = next.Next("embedding");
  model.blocks.push_back(MakeEmbeddingBlock(layers::Embedding(tokens, nullptr)));
  for (int64_t l = 0; l < spec.layers; ++l) {
    const int first = next.index();
    layers::Norm norm1 = norm("norm1.gain");
    layers::Linear qkv = next.NextLinear("attn.qkv", false), out = next.NextLinear("attn.out", false);
    layers::Norm norm2 = norm("norm2.gain");
    layers::Linear gate_up = next.NextLinear("mlp.gate_up", false), down = next.NextLinear("mlp.down", false);
    model.blocks.push_back(std::make_unique<PreNormBlock<layers::SwigluMlp>>(
        first, spec.hidden, norm1, layers::Attention(attention, qkv, out), norm2,
        layers::SwigluMlp(gate_up, down)));
  }
  const int first = next.index();
  layers::Norm last = norm("norm_f.gain");
  const layers::Param* head = keys.tied_embeddings ? tokens : next.Next("head.weight");
  model.blocks.push_back(MakeHead(first, layers::Loss(last, head, spec.vocab)));
  next.ExpectEnd();
  return model;
}

}  // namespace galley::models
