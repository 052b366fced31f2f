#include "runtime/layers/loss.h"

#include "runtime/ops/cross_entropy.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/matmul.h"

namespace galley::layers {

void Loss::Forward(Stream& stream, const LossActivations& a, View x, View labels, View loss) const {
  View normed = a.normed.Rows(0, x.shape[0]);
  norm_.Forward(stream, a.norm, x, normed);
  ops::CrossEntropyForward(stream, normed, projection_->weight, labels, vocab_, loss);
}

void Loss::ForwardBackward(Stream& stream, const LossActivations& a, View x, View labels, float grad_scale,
                           View loss, View dx) const {
  View normed = a.normed.Rows(0, x.shape[0]), dnormed = a.dnormed.Rows(0, x.shape[0]);
  norm_.Forward(stream, a.norm, x, normed);
  ops::CrossEntropyForwardBackward(stream, normed, projection_->weight, labels, vocab_, grad_scale, loss,
                                   dnormed, projection_->grad);
  norm_.Backward(stream, a.norm, x, dnormed, View{}, dx);
}

// Sampling reads differences of logits that bf16 would round to ties.
void Loss::Logits(Stream& stream, const LossActivations& a, View x, View logits) const {
  View normed = a.normed.Rows(0, x.shape[0]), wide = a.wide.Rows(0, x.shape[0]);
  norm_.Forward(stream, a.norm, x, normed);
  ops::Convert(stream, normed, wide);
  ops::MatmulForward(stream, wide, projection_->master.Rows(0, vocab_), View{}, logits);
}

}  // namespace galley::layers
