// The two-layer perceptron of a block, plain (GELU) or gated (SwiGLU).
#pragma once

#include "runtime/layers/lay.h"
#include "runtime/layers/linear.h"
#include "runtime/ops/gelu.h"

namespace galley::layers {

// y = down(gelu(up(x))).
class GeluMlp {
 public:
  // up: (ffn, hidden). down: (hidden, ffn).
  GeluMlp(ops::Gelu kind, Linear up, Linear down) : kind_(kind), up_(up), down_(down) {}
  void Lay(Extent extent, Arena& kept, Arena& scratch);
  void Forward(Stream& stream, View x, View y);
  // REQUIRES: the last Forward was of this x, and Backward did not run since. Writes dx, adds to the
  // parameters' gradients.
  void Backward(Stream& stream, View x, View dy, View dx);

 private:
  ops::Gelu kind_;
  Linear up_;
  Linear down_;
  View before_;  // (rows, ffn): up(x); the backward pass writes its gradient over it
  View after_;   // (rows, ffn)
  View dafter_;
};

// y = down(silu(gate(x)) * up(x)).
class SwigluMlp {
 public:
  // gate_up: (2 ffn, hidden), rows [gate | up]. down: (hidden, ffn).
  SwigluMlp(Linear gate_up, Linear down) : gate_up_(gate_up), down_(down) {}
  void Lay(Extent extent, Arena& kept, Arena& scratch);
  void Forward(Stream& stream, View x, View y);
  // As GeluMlp::Backward.
  void Backward(Stream& stream, View x, View dy, View dx);

 private:
  Linear gate_up_;
  Linear down_;
  View before_;  // (rows, 2 ffn): gate_up(x); the backward pass writes its gradient over it
  View after_;   // (rows, ffn)
  View dafter_;
};

}  // namespace galley::layers
