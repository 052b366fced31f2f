#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/check.h"
#include "runtime/recipe/family_field.h"
#include "runtime/recipe/tables.h"

namespace galley::recipe {
namespace {

Codec<Activation> ActivationCodec() {
  return ChoiceCodec<Activation>({{"gelu_tanh", Activation::kGeluTanh},
                                  {"gelu_erf", Activation::kGeluErf},
                                  {"swiglu", Activation::kSwiglu}});
}

Table MakeInit() {
  Table table;
  Declare<Model>(table)
      .Leaf("std", &Model::init_std, NumberCodec(),
            "Standard deviation of the normal initial weights. The two matrices that write to the "
            "residual stream get std / sqrt(2 x layers).")
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
  d.Leaf("heads", &Model::heads, IntegerCodec(), "Query heads; must divide hidden.")
      .Required()
      .AtLeast(1)
      .AtMost(1 << 16)
      .Fixed();
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

std::string ActivationNames(const std::vector<Activation>& activations) {
  return absl::StrJoin(activations, " or ", [](std::string* out, Activation activation) {
    out->append(ActivationCodec().write(activation, "")->text);
  });
}

namespace {

// "gpt2 takes gelu_tanh or gelu_erf, llama swiglu"
std::string ActivationsOf(const Families& families) {
  return absl::StrJoin(families, ", ", [&](std::string* out, const Family* family) {
    absl::StrAppend(out, family->name, family == families.front() ? " takes " : " ",
                    ActivationNames(family->activations));
  });
}

std::string DefaultActivations(const Families& families) {
  return absl::StrJoin(families, ", ", [](std::string* out, const Family* family) {
    absl::StrAppend(out, ActivationNames({family->activations.front()}), " for ", family->name);
  });
}

void AddKeys(const Family& family, Table& table) {
  for (const auto& field : family.keys.fields()) {
    Field* known = table.Find(field->name);
    if (known == nullptr) {
      table.AddAfter(field->after, std::make_unique<FamilyField>(family, *field));
      continue;
    }
    auto* shared = dynamic_cast<FamilyField*>(known);
    CHECK(shared != nullptr) << family.name << ": every family has " << field->name;
    shared->Share(family, *field);
  }
}

}  // namespace

Table ModelTable(const Families& families) {
  static const Table init = MakeInit();
  Table table;
  table.Add(std::make_unique<FamilyChoice>(families));
  Declare<Model> d(table);
  Sizes(d);
  d.Leaf("activation", &Model::activation, ActivationCodec(),
         absl::StrCat("Of the MLP. ", ActivationsOf(families), "."))
      .Default(DefaultActivations(families))
      .Fixed()
      .discriminant = "family";
  d.Leaf("norm_eps", &Model::norm_eps, NumberCodec(), "Added to the variance in a norm.")
      .Positive()
      .Below(1)
      .Fixed();
  d.Group("init", init, "Initial weights.");
  for (const Family* family : families) AddKeys(*family, table);
  table.finish = [](void* section, const std::set<std::string>&) {
    Model& model = *static_cast<Model*>(section);
    if (model.family != nullptr && model.family->finish != nullptr) model.family->finish(model);
  };
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
