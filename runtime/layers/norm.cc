#include "runtime/layers/norm.h"

#include "runtime/ops/layer_norm.h"
#include "runtime/ops/rms_norm.h"

namespace galley::layers {

void Norm::Forward(Stream& stream, const NormActivations& a, View x, View y) const {
  const int64_t rows = x.shape[0];
  if (bias_ != nullptr) {
    ops::LayerNormForward(stream, x, gain_->master, bias_->master, eps_, y, a.mean.Rows(0, rows),
                          a.inv.Rows(0, rows));
  } else {
    ops::RmsNormForward(stream, x, gain_->master, eps_, y, a.inv.Rows(0, rows));
  }
}

void Norm::Backward(Stream& stream, const NormActivations& a, View x, View dy, View residual, View dx) const {
  const int64_t rows = x.shape[0];
  if (bias_ != nullptr) {
    ops::LayerNormBackward(stream, x, gain_->master, a.mean.Rows(0, rows), a.inv.Rows(0, rows), dy, residual,
                           dx, gain_->grad, bias_->grad);
  } else {
    ops::RmsNormBackward(stream, x, gain_->master, a.inv.Rows(0, rows), dy, residual, dx, gain_->grad);
  }
}

}  // namespace galley::layers
