// Layer and root-mean-square normalisation with their row statistics.
#pragma once

#include "runtime/layers/activations.h"
#include "runtime/layers/param.h"
#include "runtime/tensor/stream.h"

namespace galley::layers {

class Norm {
 public:
  // gain: (dim). bias: (dim) makes it layer normalisation; null makes it RMS normalisation.
  Norm(const Param* gain, const Param* bias, double eps)
      : gain_(gain), bias_(bias), eps_(static_cast<float>(eps)) {}

  // x, y: (rows, dim).
  void Forward(Stream& stream, const NormActivations& a, View x, View y) const;
  // dx = residual + the gradient of x; residual (rows, dim) is what reaches x past the norm, or View{}. dx
  // may be dy or residual. Adds to the parameters' gradients. REQUIRES: `a` is what Forward left for this x.
  void Backward(Stream& stream, const NormActivations& a, View x, View dy, View residual, View dx) const;

 private:
  const Param* gain_;
  const Param* bias_;
  float eps_;
};

}  // namespace galley::layers
