#include "runtime/models/gpt2/model.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/layers/attention.h"
#include "runtime/layers/mlp.h"
#include "runtime/layers/norm.h"
#include "runtime/models/ends.h"
#include "runtime/models/gpt2/layout.h"
#include "runtime/models/pre_norm_block.h"

namespace galley::models {
namespace {

ops::Gelu GeluOf(recipe::Activation activation) {
  CHECK(activation == recipe::Activation::kGeluTanh || activation == recipe::Activation::kGeluErf)
      << "gpt2 takes no gated activation";
  return activation == recipe::Activation::kGeluTanh ? ops::Gelu::kTanh : ops::Gelu::kErf;
}

}  // namespace

Model MakeGpt2(const recipe::Model& spec, const StageParts& parts) {
  const BlockRange blocks = parts.blocks;
  const PreNormSizes sizes = Gpt2Sizes(spec);
  ParamCursor next(parts.params);
  // One Next a statement: each moves the cursor, and arguments are evaluated in no fixed order.
  auto norm = [&](absl::string_view at) {
    const layers::Param* gain = next.Next(absl::StrCat(at, ".gain"));
    return layers::Norm(gain, next.Next(absl::StrCat(at, ".bias")), spec.norm_eps);
  };
  Model model;
  if (blocks.has(0)) {
    const layers::Param* tokens = next.Next("wte");
    model.blocks.push_back(MakeEmbeddingBlock(layers::Embedding(tokens, next.Next("wpe"))));
  } else {
    next.SkipCopy("wte");
  }
  for (int64_t l = 0; l < spec.layers; ++l) {
    if (!blocks.has(l + 1)) continue;
    const int first = next.index();
    layers::Norm norm1 = norm("ln1");
    layers::Linear qkv = next.NextLinear("attn.qkv", true), out = next.NextLinear("attn.out", true);
    layers::Norm norm2 = norm("ln2");
    layers::Linear up = next.NextLinear("mlp.up", true), down = next.NextLinear("mlp.down", true);
    model.blocks.push_back(std::make_unique<PreNormBlock<layers::GeluMlp>>(
        first, norm1, layers::Attention(sizes.attention, /*rope=*/View{}, qkv, out), norm2,
        layers::GeluMlp(GeluOf(spec.activation), up, down)));
  }
  if (blocks.has(HeadBlock(spec))) {
    const int first = next.index();
    model.blocks.push_back(MakeHead(first, layers::Loss(norm("ln_f"), next.Named("wte"), spec.vocab)));
  }
  next.ExpectEnd();
  return model;
}

}  // namespace galley::models
