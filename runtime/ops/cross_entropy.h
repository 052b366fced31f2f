// The output layer and its loss, fused: logits = x w^T, loss = -log softmax(logits)[label], over chunks of
// tokens, so that the logits of all tokens are never in memory at once.
//
// x, dx: (rows, dim) and w: (padded_vocab, dim) of one compute type; dw: (padded_vocab, dim) f32, contiguous.
// labels: (rows) i32 in [0, vocab), or -1 for a row that does not count. vocab <= padded_vocab: logits of
// the padding are treated as minus infinity, so their rows of w get no gradient. Softmax and loss in f32,
// sums over rows in f64 in row order.
// loss: (2) f64: loss[0] += the sum of the rows' losses in nats, loss[1] += the number of rows that count.
#pragma once

#include "runtime/tensor/stream.h"

namespace galley::ops {

// The loss alone, for evaluation.
void CrossEntropyForward(CpuStream&, View x, View w, View labels, int64_t vocab, View loss);
void CrossEntropyForward(Stream&, View x, View w, View labels, int64_t vocab, View loss);

// The loss and the gradients of grad_scale * (sum of losses): dx is written, dw is added to.
// grad_scale is 1 / (rows that count in the whole step) for a mean loss. dx must not be x.
void CrossEntropyForwardBackward(CpuStream&, View x, View w, View labels, int64_t vocab, float grad_scale,
                                 View loss, View dx, View dw);
void CrossEntropyForwardBackward(Stream&, View x, View w, View labels, int64_t vocab, float grad_scale,
                                 View loss, View dx, View dw);

}  // namespace galley::ops
