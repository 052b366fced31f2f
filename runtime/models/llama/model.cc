#include "runtime/models/llama/model.h"

#include <vector>

#include "runtime/layers/attention.h"
#include "runtime/layers/mlp.h"
#include "runtime/layers/norm.h"
#include "runtime/models/ends.h"
#include "runtime/models/llama/keys.h"
#include "runtime/models/llama/layout.h"
#include "runtime/models/pre_norm_block.h"
#include "runtime/ops/rope.h"

namespace galley::models {
namespace {

// Filled by the host, copied to the stage's device.
View RopeTable(double base, const StageParts& parts) {
  const View table = parts.constants[0];
  std::vector<float> host(static_cast<size_t>(table.elements()));
  const View filled(host.data(), DType::kF32, table.shape);
  ops::FillRopeTable(base, filled);
  Copy(parts.stream, filled, table);
  return table;
}

}  // namespace

Model MakeLlama(const recipe::Model& spec, const StageParts& parts) {
  const PreNormSizes sizes = LlamaSizes(spec);
  const auto& keys = spec.keys.As<LlamaKeys>();
  const BlockRange blocks = parts.blocks;
  const View rope = RopeTable(keys.rope_base, parts);
  ParamCursor next(parts.params);
  auto norm = [&](absl::string_view name) { return layers::Norm(next.Next(name), nullptr, spec.norm_eps); };
  Model model;
  if (blocks.has(0)) {
    model.blocks.push_back(MakeEmbeddingBlock(layers::Embedding(next.Next("embedding"), nullptr)));
  } else {
    next.SkipCopy("embedding");
  }
  for (int64_t l = 0; l < spec.layers; ++l) {
    if (!blocks.has(l + 1)) continue;
    const int first = next.index();
    layers::Norm norm1 = norm("norm1.gain");
    layers::Linear qkv = next.NextLinear("attn.qkv", false), out = next.NextLinear("attn.out", false);
    layers::Norm norm2 = norm("norm2.gain");
    layers::Linear gate_up = next.NextLinear("mlp.gate_up", false), down = next.NextLinear("mlp.down", false);
    model.blocks.push_back(std::make_unique<PreNormBlock<layers::SwigluMlp>>(
        first, norm1, layers::Attention(sizes.attention, rope, qkv, out), norm2,
        layers::SwigluMlp(gate_up, down)));
  }
  if (blocks.has(HeadBlock(spec))) {
    const int first = next.index();
    layers::Norm last = norm("norm_f.gain");
    const layers::Param* head = keys.tied_embeddings ? next.Named("embedding") : next.Next("head.weight");
    model.blocks.push_back(MakeHead(first, layers::Loss(last, head, spec.vocab)));
  }
  next.ExpectEnd();
  return model;
}

}  // namespace galley::models
