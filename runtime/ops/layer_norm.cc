#include "runtime/ops/layer_norm.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void LayerNormForward(Stream& stream, View x, View gain, View bias, float eps, View y, View mean,
                      View inv_std) {
  int64_t rows = x.shape[0], dim = x.shape[1];
  CheckMatrix(x, x.dtype, rows, dim);
  CheckMatrix(y, x.dtype, rows, dim);
  CheckParameter(gain, x.dtype, dim);
  CheckParameter(bias, x.dtype, dim);
  CheckDense(mean, DType::kF32, {rows});
  CheckDense(inv_std, DType::kF32, {rows});
  Launch(stream, {x.data, gain.data, bias.data, y.data, mean.data, inv_std.data},
         [&](auto& s) { LayerNormForward(s, x, gain, bias, eps, y, mean, inv_std); });
}

void LayerNormBackward(Stream& stream, View x, View gain, View mean, View inv_std, View dy, View residual,
                       View dx, View dgain, View dbias) {
  int64_t rows = x.shape[0], dim = x.shape[1];
  CheckMatrix(x, x.dtype, rows, dim);
  CheckMatrix(dy, x.dtype, rows, dim);
  CheckMatrix(dx, x.dtype, rows, dim);
  if (!Absent(residual)) CheckMatrix(residual, x.dtype, rows, dim);
  CheckParameter(gain, x.dtype, dim);
  CheckDense(mean, DType::kF32, {rows});
  CheckDense(inv_std, DType::kF32, {rows});
  CheckDense(dgain, DType::kF32, {dim});
  CheckDense(dbias, DType::kF32, {dim});
  Launch(
      stream,
      {x.data, gain.data, mean.data, inv_std.data, dy.data, residual.data, dx.data, dgain.data, dbias.data},
      [&](auto& s) { LayerNormBackward(s, x, gain, mean, inv_std, dy, residual, dx, dgain, dbias); });
}

}  // namespace galley::ops
