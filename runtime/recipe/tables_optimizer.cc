#include "runtime/recipe/tables.h"

namespace galley::recipe {

const Table& OptimizerTable() {
  static const Table table = MakeTable([](Table& t) {
    Declare<Optimizer> d(t);
    d.Leaf("kind", &Optimizer::kind, ChoiceCodec<OptimizerKind>({{"adamw", OptimizerKind::kAdamW}}),
           "adamw: Adam with decoupled weight decay.")
        .Fixed();
    d.Leaf("beta1", &Optimizer::beta1, NumberCodec(), "Decay of the first moment.")
        .AtLeast(0)
        .Below(1)
        .Warn();
    d.Leaf("beta2", &Optimizer::beta2, NumberCodec(), "Decay of the second moment.")
        .AtLeast(0)
        .Below(1)
        .Warn();
    d.Leaf("eps", &Optimizer::eps, NumberCodec(), "Added to the root of the second moment.")
        .Positive()
        .Warn();
    d.Leaf("weight_decay", &Optimizer::weight_decay, NumberCodec(),
           "On matrices and embeddings; norms and biases never decay.")
        .AtLeast(0)
        .Warn();
    d.Leaf("clip_norm", &Optimizer::clip_norm, NumberCodec(),
           "The gradient is scaled down to this norm, over all parameters. 0: never.")
        .AtLeast(0)
        .Warn();
  });
  return table;
}

namespace {

Table MakeLearningRate() {
  Table table;
  using Lr = LearningRate;
  Declare<Lr> d(table);
  d.Leaf("peak", &Lr::peak, NumberCodec(), "Rate after the warm-up.").Required().Positive().Warn();
  d.Leaf("min", &Lr::min, NumberCodec(), "Rate after the decay.").AtLeast(0).Warn();
  d.Leaf("init", &Lr::init, NumberCodec(), "Rate of the first step, when there is a warm-up.")
      .AtLeast(0)
      .Warn();
  NotNegative(d.Leaf("warmup", &Lr::warmup, AmountCodec(), "Length of the linear rise from init to peak."))
      .Warn();
  d.Leaf("decay", &Lr::decay,
         ChoiceCodec<Decay>({{"constant", Decay::kConstant},
                             {"linear", Decay::kLinear},
                             {"cosine", Decay::kCosine},
                             {"inverse_square_root", Decay::kInverseSquareRoot},
                             {"wsd", Decay::kWsd}}),
         "Shape after the warm-up. wsd: stays at peak, then falls at the end.")
      .Warn();
  AboveNone(d.Leaf("decay_until", &Lr::decay_until, AmountCodec(), "Where min is reached."))
      .Default("train.until")
      .Warn()
      .OnlyFor(&Lr::decay, {Decay::kLinear, Decay::kCosine, Decay::kInverseSquareRoot, Decay::kWsd}, "decay",
               "linear, cosine, inverse_square_root or wsd");
  AboveNone(d.Leaf("wsd_decay", &Lr::wsd_decay, AmountCodec(), "Length of the final fall."))
      .Required()
      .Warn()
      .OnlyFor(&Lr::decay, {Decay::kWsd}, "decay", "wsd");
  d.Leaf("wsd_shape", &Lr::wsd_shape,
         ChoiceCodec<WsdShape>({{"linear", WsdShape::kLinear},
                                {"cosine", WsdShape::kCosine},
                                {"exponential", WsdShape::kExponential},
                                {"minus_sqrt", WsdShape::kMinusSqrt}}),
         "Shape of the final fall.")
      .Warn()
      .OnlyFor(&Lr::decay, {Decay::kWsd}, "decay", "wsd");
  return table;
}

}  // namespace

const Table& ScheduleTable() {
  static const Table lr = MakeLearningRate();
  static const Table table = MakeTable([](Table& t) {
    Declare<Schedule>(t)
        .Section("lr", &Schedule::lr, lr, "The learning rate, a function of consumed samples.")
        .Required();
  });
  return table;
}

}  // namespace galley::recipe
