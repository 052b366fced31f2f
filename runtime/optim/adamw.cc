#include "runtime/optim/adamw.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "runtime/ops/adamw_update.h"

namespace galley::optim {

double ClipCoefficient(double norm, double clip_norm) {
  if (clip_norm == 0) return 1;
  double coefficient = clip_norm / (norm + 1e-6);
  return coefficient < 1 ? coefficient : 1;
}

AdamW::AdamW(const recipe::Optimizer& spec, const std::vector<plan::ParamSpec>& params,
             const Moments& moments)
    : spec_(spec), params_(params), moments_(moments) {
  // Neighbours with one rule are updated in one call: a model has many more parameters than changes of rule.
  for (const plan::ParamSpec& p : params_) {
    if (ranges_.empty() || ranges_.back().decay != p.decay) ranges_.push_back({elements_, 0, p.decay});
    ranges_.back().count += p.elements();
    elements_ += p.elements();
  }
  CHECK_EQ(moments_.m.elements(), elements_);
}

void AdamW::Step(Stream& stream, double lr, double grad_scale, View grads, View weights, View copy) {
  CHECK_EQ(grads.elements(), elements_);
  CHECK_EQ(weights.elements(), elements_);
  CHECK(copy.data == nullptr || copy.elements() == elements_);
  ++steps_;
  auto t = static_cast<double>(steps_);
  ops::AdamWStep step;
  step.lr = static_cast<float>(lr);
  step.beta1 = static_cast<float>(spec_.beta1);
  step.beta2 = static_cast<float>(spec_.beta2);
  step.eps = static_cast<float>(spec_.eps);
  // In double: in the first steps 1 - beta^t is a small difference, of which f32 would lose most digits.
  step.correction1 = static_cast<float>(1 - std::pow(spec_.beta1, t));
  step.correction2 = static_cast<float>(1 - std::pow(spec_.beta2, t));
  step.grad_scale = static_cast<float>(grad_scale);
  for (const Range& range : ranges_) {
    step.weight_decay = range.decay ? static_cast<float>(spec_.weight_decay) : 0.0f;
    auto part = [&](const View& v) { return v.data == nullptr ? v : v.Rows(range.begin, range.count); };
    ops::AdamWUpdate(stream, step, part(grads), part(moments_.m), part(moments_.v), part(weights),
                     part(copy));
  }
}

std::vector<AdamW::Slice> AdamW::State() const {
  std::vector<Slice> out;
  int64_t begin = 0;
  for (const plan::ParamSpec& p : params_) {
    out.push_back({absl::StrCat("optim.m.", p.name), p.shape, moments_.m.Rows(begin, p.elements())});
    out.push_back({absl::StrCat("optim.v.", p.name), p.shape, moments_.v.Rows(begin, p.elements())});
    begin += p.elements();
  }
  return out;
}

}  // namespace galley::optim
