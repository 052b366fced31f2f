#include "runtime/layers/loss.h"

#include "runtime/ops/cross_entropy.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/matmul.h"

namespace galley::layers {

void Loss::Lay(Extent extent, Arena& kept, Arena& scratch) {
  norm_.Lay(extent, kept);
  const Shape shape{extent.rows, projection_->weight.shape[1]};
  normed_ = scratch.Take(extent.compute, shape);
  dnormed_ = scratch.Take(extent.compute, shape);
  wide_ = scratch.Take(DType::kF32, shape);
}

void Loss::Forward(Stream& stream, View x, View labels, View loss) {
  View normed = normed_.Rows(0, x.shape[0]);
  norm_.Forward(stream, x, normed);
  ops::CrossEntropyForward(stream, normed, projection_->weight, labels, vocab_, loss);
}

void Loss::ForwardBackward(Stream& stream, View x, View labels, float grad_scale, View loss, View dx) {
  View normed = normed_.Rows(0, x.shape[0]), dnormed = dnormed_.Rows(0, x.shape[0]);
  norm_.Forward(stream, x, normed);
  ops::CrossEntropyForwardBackward(stream, normed, projection_->weight, labels, vocab_, grad_scale, loss,
                                   dnormed, projection_->grad);
  norm_.Backward(stream, x, dnormed, View{}, dx);
}

void Loss::Logits(Stream& stream, View x, View logits) {
  View normed = normed_.Rows(0, x.shape[0]), wide = wide_.Rows(0, x.shape[0]);
  norm_.Forward(stream, x, normed);
  ops::Convert(stream, normed, wide);
  ops::MatmulForward(stream, wide, projection_->master.Rows(0, vocab_), View{}, logits);
}

}  // namespace galley::layers
