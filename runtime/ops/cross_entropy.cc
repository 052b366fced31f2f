#include "runtime/ops/cross_entropy.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {
namespace {

void CheckCrossEntropy(const View& x, const View& w, const View& labels, int64_t vocab, const View& loss) {
  int64_t rows = x.shape[0], dim = x.shape[1];
  CheckMatrix(x, x.dtype, rows, dim);
  CheckMatrix(w, x.dtype, w.shape[0], dim);
  CheckDense(labels, DType::kI32, {rows});
  CheckDense(loss, DType::kF64, {2});
  CHECK(vocab > 0 && vocab <= w.shape[0]) << vocab << " of " << w.shape[0];
}

}  // namespace

void CrossEntropyForward(Stream& stream, View x, View w, View labels, int64_t vocab, View loss) {
  CheckCrossEntropy(x, w, labels, vocab, loss);
  Launch(stream, {x.data, w.data, labels.data, loss.data},
         [&](auto& s) { CrossEntropyForward(s, x, w, labels, vocab, loss); });
}

void CrossEntropyForwardBackward(Stream& stream, View x, View w, View labels, int64_t vocab, float grad_scale,
                                 View loss, View dx, View dw) {
  CheckCrossEntropy(x, w, labels, vocab, loss);
  CheckMatrix(dx, x.dtype, x.shape[0], x.shape[1]);
  CheckDense(dw, DType::kF32, w.shape);
  CHECK(dx.data != x.data);
  Launch(stream, {x.data, w.data, labels.data, loss.data, dx.data, dw.data},
         [&](auto& s) { CrossEntropyForwardBackward(s, x, w, labels, vocab, grad_scale, loss, dx, dw); });
}

}  // namespace galley::ops
