// AdamW over the flat buffers of a model: gradients, f32 master weights and the two moments lie one parameter
// after the other, in the order of the parameter table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/optim/moments.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"
#include "runtime/tensor/stream.h"

namespace galley::optim {

// What clipping multiplies gradients by: clip_norm / (norm + 1e-6) where that is below 1, else 1. The small
// term is Megatron's and PyTorch's, and part of what equal runs must share. clip_norm 0 turns clipping off.
double ClipCoefficient(double norm, double clip_norm);

class AdamW {
 public:
  // moments: bound, of all elements (AllocateMoments).
  AdamW(const recipe::Optimizer& spec, const std::vector<plan::ParamSpec>& params, const Moments& moments);

  // One update at learning rate lr of `weights` from grad_scale * grads; both (elements) f32. `copy`,
  // (elements) bf16, gets the new weights rounded, or is View{}. Weight decay applies to the parameters whose
  // table entry says so.
  void Step(Stream&, double lr, double grad_scale, View grads, View weights, View copy);

  int64_t elements() const { return elements_; }
  // Updates taken so far: the bias correction's t, part of the saved state.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }

  // The moments by parameter, "optim.m.<name>" and "optim.v.<name>", as checkpoints save and load them.
  struct Slice {
    std::string name;
    std::vector<int64_t> shape;
    View view;  // flat
  };
  std::vector<Slice> State() const;

 private:
  struct Range {  // of flat elements with one decay rule
    int64_t begin, count;
    bool decay;
  };

  recipe::Optimizer spec_;
  std::vector<plan::ParamSpec> params_;
  std::vector<Range> ranges_;
  int64_t elements_ = 0;
  int64_t steps_ = 0;
  Moments moments_;
};

}  // namespace galley::optim
