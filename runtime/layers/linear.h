// y = x w^T + bias.
#pragma once

#include "runtime/layers/param.h"
#include "runtime/tensor/stream.h"

namespace galley::layers {

class Linear {
 public:
  // weight: (out, in). bias: (out), or null for none.
  Linear(const Param* weight, const Param* bias) : weight_(weight), bias_(bias) {}

  int64_t in() const { return weight_->weight.shape[1]; }
  int64_t out() const { return weight_->weight.shape[0]; }

  // x: (rows, in). y: (rows, out).
  void Forward(Stream& stream, View x, View y) const;
  // x as given to Forward. Writes dx, adds to the parameters' gradients.
  void Backward(Stream& stream, View x, View dy, View dx) const;

 private:
  const Param* weight_;
  const Param* bias_;
};

}  // namespace galley::layers
