// One AdamW update (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019) over a flat range:
//   g = grad_scale * grad;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   w -= lr * (m / correction1 / (sqrt(v / correction2) + eps) + weight_decay * w)
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

struct AdamWStep {
  float lr = 0;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float eps = 1e-8f;
  float weight_decay = 0;
  float correction1 = 1;  // 1 - beta1^t
  float correction2 = 1;  // 1 - beta2^t
  float grad_scale = 1;   // the clip coefficient, and what else multiplies the gradient
};

// grad, m, v, w: (n) f32, contiguous; m, v and w are updated.  copy: (n) bf16, the updated w
// rounded, or View{} for none.
void AdamWUpdate(CpuStream&, const AdamWStep&, View grad, View m, View v, View w, View copy);
void AdamWUpdate(Stream&, const AdamWStep&, View grad, View m, View v, View w, View copy);

}  // namespace galley::ops
