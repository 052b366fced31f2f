#include "runtime/ops/swiglu.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void SwigluForward(Stream& stream, View gate_up, View y) {
  CheckMatrix(y, y.dtype, y.shape[0], y.shape[1]);
  CheckMatrix(gate_up, y.dtype, y.shape[0], 2 * y.shape[1]);
  Launch(stream, {gate_up.data, y.data}, [&](auto& s) { SwigluForward(s, gate_up, y); });
}

void SwigluBackward(Stream& stream, View gate_up, View dy, View dgate_up) {
  CheckMatrix(dy, dy.dtype, dy.shape[0], dy.shape[1]);
  CheckMatrix(gate_up, dy.dtype, dy.shape[0], 2 * dy.shape[1]);
  CheckMatrix(dgate_up, dy.dtype, dy.shape[0], 2 * dy.shape[1]);
  Launch(stream, {gate_up.data, dy.data, dgate_up.data},
         [&](auto& s) { SwigluBackward(s, gate_up, dy, dgate_up); });
}

}  // namespace galley::ops
