#include "runtime/ops/adamw_update.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void AdamWUpdate(Stream& stream, const AdamWStep& step, View grad, View m, View v, View w, View copy) {
  int64_t n = w.elements();
  for (const View& view : {grad, m, v, w}) CheckDense(view, DType::kF32, {n});
  if (!Absent(copy)) CheckDense(copy, DType::kBF16, {n});
  CHECK(step.correction1 > 0 && step.correction2 > 0) << "the step counter starts at 1";
  Launch(stream, {grad.data, m.data, v.data, w.data, copy.data},
         [&](auto& s) { AdamWUpdate(s, step, grad, m, v, w, copy); });
}

}  // namespace galley::ops
