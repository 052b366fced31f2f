#include "runtime/models/gpt2/keys.h"

#include "runtime/recipe/leaf.h"

namespace galley::models {
namespace {

using recipe::Activation;
using recipe::Checker;

recipe::Table DropoutTable() {
  recipe::Table table;
  recipe::Declare<Gpt2Keys> d(table);
  d.Leaf("hidden", &Gpt2Keys::dropout_hidden, recipe::NumberCodec(),
         "Share of the residual branches' and embeddings' values set to 0.")
      .AtLeast(0)
      .Below(1)
      .Warn();
  d.Leaf("attention", &Gpt2Keys::dropout_attention, recipe::NumberCodec(),
         "Share of the attention's probabilities set to 0.")
      .AtLeast(0)
      .Below(1)
      .Warn();
  return table;
}

recipe::Table KeyTable() {
  static const recipe::Table dropout = DropoutTable();
  recipe::Table table;
  recipe::Declare<Gpt2Keys>(table).Group("dropout", dropout, "Dropout while training.").After("norm_eps");
  return table;
}

void CheckKeys(Checker& c) {
  const recipe::Model& m = c.spec.model;
  if (c.Sound({"model.heads", "parallelism.tensor"})) {
    c.WantMultiple("model.heads", m.heads, "parallelism.tensor", c.spec.parallelism.tensor);
  }
  if (c.Sound({"model.dropout"})) {
    const auto& keys = m.keys.As<Gpt2Keys>();
    if (keys.dropout_hidden > 0) c.NotBuilt("model.dropout.hidden", "dropout above 0");
    if (keys.dropout_attention > 0) c.NotBuilt("model.dropout.attention", "dropout above 0");
  }
}

}  // namespace

const recipe::Family& Gpt2Family() {
  static const recipe::Family family = {
      .name = "gpt2",
      .doc = "LayerNorm before each part, learned positions, biases, head tied to the embedding.",
      .activations = {Activation::kGeluTanh, Activation::kGeluErf},
      .defaults = Gpt2Keys{},
      .keys = KeyTable(),
      .check = CheckKeys};
  return family;
}

}  // namespace galley::models
