#include "runtime/models/llama/keys.h"

#include "absl/strings/str_cat.h"
#include "runtime/recipe/leaf.h"

namespace galley::models {
namespace {

using recipe::Checker;

recipe::Table KeyTable() {
  recipe::Table table;
  recipe::Declare<LlamaKeys> d(table);
  d.Leaf("kv_heads", &LlamaKeys::kv_heads, recipe::IntegerCodec(), "Key and value heads; must divide heads.")
      .After("heads")
      .AtLeast(1)
      .AtMost(1 << 16)
      .Default("heads")
      .Fixed();
  d.Leaf("rope_base", &LlamaKeys::rope_base, recipe::NumberCodec(), "Base of the rotary frequencies.")
      .After("norm_eps")
      .Positive()
      .Fixed();
  d.Leaf("tied_embeddings", &LlamaKeys::tied_embeddings, recipe::BoolCodec(), "The head is the embedding.")
      .After("rope_base")
      .Fixed();
  return table;
}

void FillKeys(recipe::Model& model) {
  auto& keys = model.keys.As<LlamaKeys>();
  if (keys.kv_heads == 0) keys.kv_heads = model.heads;
}

void CheckKeys(Checker& c) {
  const recipe::Model& m = c.spec.model;
  const int64_t kv_heads = m.keys.As<LlamaKeys>().kv_heads;
  if (c.Sound({"model.heads", "model.kv_heads"})) {
    c.WantMultiple("model.heads", m.heads, "model.kv_heads", kv_heads);
  }
  if (c.Sound({"model.hidden", "model.heads"}) && m.hidden % m.heads == 0 && m.hidden / m.heads % 2 != 0) {
    c.Error("model.hidden",
            absl::StrCat("a head is ", m.hidden / m.heads, " wide; rotary positions need an even width"));
  }
  if (c.Sound({"model.kv_heads", "model.heads", "parallelism.tensor"})) {
    c.WantMultiple("model.kv_heads", kv_heads, "parallelism.tensor", c.spec.parallelism.tensor);
  }
}

}  // namespace

const recipe::Family& LlamaFamily() {
  static const recipe::Family family = {
      .name = "llama",
      .doc = "RMSNorm, rotary positions, grouped queries, gated MLP, no biases.",
      .activations = {recipe::Activation::kSwiglu},
      .defaults = LlamaKeys{},
      .keys = KeyTable(),
      .finish = FillKeys,
      .check = CheckKeys};
  return family;
}

}  // namespace galley::models
