#include "runtime/ops/matmul.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void MatmulForward(Stream& stream, View x, View w, View bias, View y) {
  int64_t rows = x.shape[0], in = x.shape[1], out = w.shape[0];
  CheckMatrix(x, x.dtype, rows, in);
  CheckMatrix(w, x.dtype, out, in);
  CheckMatrix(y, x.dtype, rows, out);
  if (!Absent(bias)) CheckParameter(bias, x.dtype, out);
  Launch(stream, {x.data, w.data, bias.data, y.data}, [&](auto& s) { MatmulForward(s, x, w, bias, y); });
}

void MatmulBackwardInput(Stream& stream, View dy, View w, View dx) {
  int64_t rows = dy.shape[0], in = w.shape[1], out = w.shape[0];
  CheckMatrix(dy, dy.dtype, rows, out);
  CheckMatrix(w, dy.dtype, out, in);
  CheckMatrix(dx, dy.dtype, rows, in);
  Launch(stream, {dy.data, w.data, dx.data}, [&](auto& s) { MatmulBackwardInput(s, dy, w, dx); });
}

void MatmulBackwardWeight(Stream& stream, View x, View dy, View dw, View dbias) {
  int64_t rows = x.shape[0], in = x.shape[1], out = dy.shape[1];
  CheckMatrix(x, x.dtype, rows, in);
  CheckMatrix(dy, x.dtype, rows, out);
  CheckDense(dw, DType::kF32, {out, in});
  if (!Absent(dbias)) CheckDense(dbias, DType::kF32, {out});
  Launch(stream, {x.data, dy.data, dw.data, dbias.data},
         [&](auto& s) { MatmulBackwardWeight(s, x, dy, dw, dbias); });
}

}  // namespace galley::ops
