#include "runtime/ops/rms_norm.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void RmsNormForward(Stream& stream, View x, View gain, float eps, View y, View inv_rms) {
  int64_t rows = x.shape[0], dim = x.shape[1];
  CheckMatrix(x, x.dtype, rows, dim);
  CheckMatrix(y, x.dtype, rows, dim);
  CheckParameter(gain, x.dtype, dim);
  CheckDense(inv_rms, DType::kF32, {rows});
  Launch(stream, {x.data, gain.data, y.data, inv_rms.data},
         [&](auto& s) { RmsNormForward(s, x, gain, eps, y, inv_rms); });
}

void RmsNormBackward(Stream& stream, View x, View gain, View inv_rms, View dy, View residual, View dx,
                     View dgain) {
  int64_t rows = x.shape[0], dim = x.shape[1];
  CheckMatrix(x, x.dtype, rows, dim);
  CheckMatrix(dy, x.dtype, rows, dim);
  CheckMatrix(dx, x.dtype, rows, dim);
  if (!Absent(residual)) CheckMatrix(residual, x.dtype, rows, dim);
  CheckParameter(gain, x.dtype, dim);
  CheckDense(inv_rms, DType::kF32, {rows});
  CheckDense(dgain, DType::kF32, {dim});
  Launch(stream, {x.data, gain.data, inv_rms.data, dy.data, residual.data, dx.data, dgain.data},
         [&](auto& s) { RmsNormBackward(s, x, gain, inv_rms, dy, residual, dx, dgain); });
}

}  // namespace galley::ops
