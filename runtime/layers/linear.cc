#include "runtime/layers/linear.h"

#include "runtime/ops/matmul.h"

namespace galley::layers {

void Linear::Forward(Stream& stream, View x, View y) const {
  ops::MatmulForward(stream, x, weight_->weight, bias_ != nullptr ? bias_->master : View{}, y);
}

void Linear::Backward(Stream& stream, View x, View dy, View dx) const {
  ops::MatmulBackwardWeight(stream, x, dy, weight_->grad, bias_ != nullptr ? bias_->grad : View{});
  ops::MatmulBackwardInput(stream, dy, weight_->weight, dx);
}

}  // namespace galley::layers
