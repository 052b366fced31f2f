// The two-layer perceptron of a block, plain (GELU) or gated (SwiGLU).
#pragma once

#include "runtime/layers/activations.h"
#include "runtime/layers/linear.h"
#include "runtime/ops/gelu.h"

namespace galley::layers {

// y = down(gelu(up(x))).
class GeluMlp {
 public:
  // up: (ffn, hidden). down: (hidden, ffn).
  GeluMlp(ops::Gelu kind, Linear up, Linear down) : kind_(kind), up_(up), down_(down) {}
  void Forward(Stream& stream, const MlpActivations& a, View x, View y) const;
  // REQUIRES: `a` is what Forward left for this x, and Backward did not run on it since. Writes dx, adds to
  // the parameters' gradients.
  void Backward(Stream& stream, const MlpActivations& a, View x, View dy, View dx) const;

 private:
  ops::Gelu kind_;
  Linear up_;
  Linear down_;
};

// y = down(silu(gate(x)) * up(x)).
class SwigluMlp {
 public:
  // gate_up: (2 ffn, hidden), rows [gate | up]. down: (hidden, ffn).
  SwigluMlp(Linear gate_up, Linear down) : gate_up_(gate_up), down_(down) {}
  void Forward(Stream& stream, const MlpActivations& a, View x, View y) const;
  // As GeluMlp::Backward.
  void Backward(Stream& stream, const MlpActivations& a, View x, View dy, View dx) const;

 private:
  Linear gate_up_;
  Linear down_;
};

}  // namespace galley::layers
