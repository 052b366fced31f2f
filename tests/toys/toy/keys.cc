#include "tests/toys/toy/keys.h"

#include "runtime/models/llama/keys.h"
#include "runtime/recipe/leaf.h"

namespace galley::models {
namespace {

recipe::Table KeyTable() {
  recipe::Table table;
  recipe::Declare<ToyKeys>(table)
      .Leaf("sharing", &ToyKeys::sharing, recipe::IntegerCodec(),
            "Query heads that share one key and value head; heads is a multiple of it.")
      .After("heads")
      .AtLeast(1)
      .Fixed();
  return table;
}

void CheckKeys(recipe::Checker& c) {
  const recipe::Model& m = c.spec.model;
  if (c.Sound({"model.heads", "model.sharing"})) {
    c.WantMultiple("model.heads", m.heads, "model.sharing", m.keys.As<ToyKeys>().sharing);
  }
}

}  // namespace

const recipe::Family& ToyFamily() {
  static const recipe::Family family = {.name = "toy",
                                        .doc = "Llama under another name.",
                                        .activations = {recipe::Activation::kSwiglu},
                                        .defaults = ToyKeys{},
                                        .keys = KeyTable(),
                                        .check = CheckKeys};
  return family;
}

recipe::Model AsLlama(const recipe::Model& toy) {
  recipe::Model llama = toy;
  recipe::SetFamily(LlamaFamily(), llama);
  llama.keys.As<LlamaKeys>().kv_heads = toy.heads / toy.keys.As<ToyKeys>().sharing;
  return llama;
}

}  // namespace galley::models
