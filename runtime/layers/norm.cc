#include "runtime/layers/norm.h"

#include "runtime/ops/layer_norm.h"
#include "runtime/ops/rms_norm.h"

namespace galley::layers {

void Norm::Lay(Extent extent, Arena& kept) {
  inv_ = kept.Take(DType::kF32, {extent.rows});
  if (bias_ != nullptr) mean_ = kept.Take(DType::kF32, {extent.rows});
}

void Norm::Forward(Stream& stream, View x, View y) {
  const int64_t rows = x.shape[0];
  if (bias_ != nullptr) {
    ops::LayerNormForward(stream, x, gain_->master, bias_->master, eps_, y, mean_.Rows(0, rows),
                          inv_.Rows(0, rows));
  } else {
    ops::RmsNormForward(stream, x, gain_->master, eps_, y, inv_.Rows(0, rows));
  }
}

void Norm::Backward(Stream& stream, View x, View dy, View residual, View dx) {
  const int64_t rows = x.shape[0];
  if (bias_ != nullptr) {
    ops::LayerNormBackward(stream, x, gain_->master, mean_.Rows(0, rows), inv_.Rows(0, rows), dy, residual,
                           dx, gain_->grad, bias_->grad);
  } else {
    ops::RmsNormBackward(stream, x, gain_->master, inv_.Rows(0, rows), dy, residual, dx, gain_->grad);
  }
}

}  // namespace galley::layers
