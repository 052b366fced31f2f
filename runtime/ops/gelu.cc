#include "runtime/ops/gelu.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void GeluForward(Stream& stream, Gelu kind, View x, View y) {
  CheckMatrix(x, x.dtype, x.shape[0], x.shape[1]);
  CheckMatrix(y, x.dtype, x.shape[0], x.shape[1]);
  Launch(stream, {x.data, y.data}, [&](auto& s) { GeluForward(s, kind, x, y); });
}

void GeluBackward(Stream& stream, Gelu kind, View x, View dy, View dx) {
  CheckMatrix(x, x.dtype, x.shape[0], x.shape[1]);
  CheckMatrix(dy, x.dtype, x.shape[0], x.shape[1]);
  CheckMatrix(dx, x.dtype, x.shape[0], x.shape[1]);
  Launch(stream, {x.data, dy.data, dx.data}, [&](auto& s) { GeluBackward(s, kind, x, dy, dx); });
}

}  // namespace galley::ops
