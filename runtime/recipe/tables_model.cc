#include "runtime/recipe/tables.h"

namespace galley::recipe {
namespace {

Table MakeDropout() {
  Table table;
  Declare<Model> d(table);
  d.Leaf("hidden", &Model::dropout_hidden, NumberCodec(),
         "Share of the residual branches' and embeddings' values set to 0.")
      .AtLeast(0)
      .Below(1)
      .Warn();
  d.Leaf("attention", &Model::dropout_attention, NumberCodec(),
         "Share of the attention's probabilities set to 0.")
      .AtLeast(0)
      .Below(1)
      .Warn();
  return table;
}

Table MakeInit() {
  Table table;
  Declare<Model>(table)
      .Leaf("std", &Model::init_std, NumberCodec(),
            "Standard deviation of the normal initial weights. The two matrices that write to the residual "
            "stream "
            "get std / sqrt(2 x layers).")
      .Positive()
      .AtMost(1)
      .Fixed();
  return table;
}

void Sizes(Declare<Model>& d) {
  d.Leaf("layers", &Model::layers, IntegerCodec(), "Blocks.").Required().AtLeast(1).AtMost(10000).Fixed();
  d.Leaf("hidden", &Model::hidden, IntegerCodec(), "Width of the residual stream.")
      .Required()
      .AtLeast(1)
      .AtMost(1 << 20)
      .Fixed();
  d.Leaf("heads", &Model::heads, IntegerCodec(), "Query heads; hidden divides by it.")
      .Required()
      .AtLeast(1)
      .AtMost(1 << 16)
      .Fixed();
  d.Leaf("kv_heads", &Model::kv_heads, IntegerCodec(), "Key and value heads; heads divides by it.")
      .AtLeast(1)
      .AtMost(1 << 16)
      .Default("heads")
      .Fixed()
      .OnlyFor(&Model::family, {Family::kLlama}, "family", "llama");
  d.Leaf("ffn", &Model::ffn, IntegerCodec(), "Width of the MLP.")
      .Required()
      .AtLeast(1)
      .AtMost(1 << 22)
      .Fixed();
  d.Leaf("context", &Model::context, IntegerCodec(), "Tokens of a sample.")
      .Required()
      .AtLeast(1)
      .AtMost(1 << 20)
      .Unit("tokens")
      .Fixed();
  d.Leaf("vocab", &Model::vocab, IntegerCodec(),
         "Tokens of the vocabulary. The embedding has rows for a multiple of 128 when there are more than "
         "128; the "
         "rows above are left out of the loss.")
      .Required()
      .AtLeast(1)
      .AtMost(1 << 24)
      .Unit("tokens")
      .Fixed();
}

}  // namespace

const Table& ModelTable() {
  static const Table dropout = MakeDropout();
  static const Table init = MakeInit();
  static const Table table = MakeTable([](Table& t) {
    Declare<Model> d(t);
    d.Leaf("family", &Model::family,
           ChoiceCodec<Family>({{"gpt2", Family::kGpt2}, {"llama", Family::kLlama}}),
           "gpt2: LayerNorm before each part, learned positions, biases, head tied to the embedding. llama: "
           "RMSNorm, "
           "rotary positions, grouped queries, gated MLP, no biases.")
        .Required()
        .Fixed();
    Sizes(d);
    d.Leaf("activation", &Model::activation,
           ChoiceCodec<Activation>({{"gelu_tanh", Activation::kGeluTanh},
                                    {"gelu_erf", Activation::kGeluErf},
                                    {"swiglu", Activation::kSwiglu}}),
           "Of the MLP. gpt2 takes gelu_tanh or gelu_erf, llama swiglu.")
        .Default("gelu_tanh for gpt2, swiglu for llama")
        .Fixed();
    d.Leaf("norm_eps", &Model::norm_eps, NumberCodec(), "Added to the variance in a norm.")
        .Positive()
        .Below(1)
        .Fixed();
    d.Leaf("rope_base", &Model::rope_base, NumberCodec(), "Base of the rotary frequencies.")
        .Positive()
        .Fixed()
        .OnlyFor(&Model::family, {Family::kLlama}, "family", "llama");
    d.Leaf("tied_embeddings", &Model::tied_embeddings, BoolCodec(),
           "The head is the embedding; always so in gpt2.")
        .Fixed()
        .OnlyFor(&Model::family, {Family::kLlama}, "family", "llama");
    d.Group("dropout", dropout, "Dropout while training.")
        .OnlyFor(&Model::family, {Family::kGpt2}, "family", "gpt2");
    d.Group("init", init, "Initial weights.");
    t.finish = [](void* section, const std::set<std::string>& present) {
      Model& model = *static_cast<Model*>(section);
      const bool gpt2 = model.family == Family::kGpt2;
      if (present.count("activation") == 0) {
        model.activation = gpt2 ? Activation::kGeluTanh : Activation::kSwiglu;
      }
      if (gpt2) model.tied_embeddings = true;
      if (model.kv_heads == 0) model.kv_heads = model.heads;
    };
  });
  return table;
}

const Table& PrecisionTable() {
  static const Table loss_scale = MakeTable([](Table& t) {
    Declare<LossScale> d(t);
    d.Leaf("initial", &LossScale::initial, NumberCodec(), "Scale of the first step.").AtLeast(1).Warn();
    d.Leaf("window", &LossScale::window, IntegerCodec(), "Steps without overflow before it doubles.")
        .AtLeast(1)
        .Unit("steps")
        .Warn();
    d.Leaf("hysteresis", &LossScale::hysteresis, IntegerCodec(), "Overflows before it halves.")
        .AtLeast(1)
        .Warn();
    d.Leaf("min", &LossScale::min, NumberCodec(), "It never goes below.").Positive().Warn();
  });
  static const Table table = MakeTable([](Table& t) {
    Declare<Precision> d(t);
    d.Leaf("compute", &Precision::compute,
           ChoiceCodec<Compute>({{"f32", Compute::kF32},
                                 {"bf16", Compute::kBF16},
                                 {"fp16", Compute::kFP16},
                                 {"fp8", Compute::kFP8}}),
           "Type of activations and of the weights that matrix products read. Master weights, gradients and "
           "optimizer "
           "state are f32 always.")
        .Warn();
    d.Section("loss_scale", &Precision::loss_scale, loss_scale, "Dynamic scaling of the loss.")
        .OnlyFor(&Precision::compute, {Compute::kFP16}, "compute", "fp16");
    t.finish = [](void* section, const std::set<std::string>& present) {
      Precision& precision = *static_cast<Precision*>(section);
      if (precision.compute == Compute::kFP16 && present.count("loss_scale") == 0)
        precision.loss_scale.emplace();
    };
  });
  return table;
}

}  // namespace galley::recipe
