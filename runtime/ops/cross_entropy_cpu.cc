#include "runtime/ops/cross_entropy.h"

#include <cmath>

#include "runtime/ops/cpu.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/scratch.h"

namespace galley::ops {
namespace {

// The loss of each row; a row that does not count gives 0. `T*` gradients, where asked for, are
// grad_scale * (softmax - one at the label), zeros in the padding.
template <class T>
GALLEY_SIMD void Loss(int64_t begin, int64_t end, int64_t vocab, int64_t padded_vocab, const float* logits,
                      const int32_t* labels, float grad_scale, double* losses, T* gradients) {
  for (int64_t r = begin; r < end; ++r) {
    const float* row = logits + r * padded_vocab;
    T* out = gradients == nullptr ? nullptr : gradients + r * padded_vocab;
    int32_t label = labels[r];
    losses[r] = 0;
    if (label < 0) {
      if (out != nullptr) std::fill_n(out, padded_vocab, T{});
      continue;
    }
    float top = row[0];
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < vocab; ++i) top = row[i] > top ? row[i] : top;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < vocab; ++i) sum += Exp(row[i] - top);
    losses[r] =
        static_cast<double>(std::log(sum)) + static_cast<double>(top) - static_cast<double>(row[label]);
    if (out == nullptr) continue;
    float factor = grad_scale / sum;
    // Before the loop, which may write over the row, and not from the loop's result: near 1 a rounded
    // probability less 1 would have no digits left.
    float at_label = Exp(row[label] - top) * factor - grad_scale;
#pragma omp simd
    for (int64_t i = 0; i < vocab; ++i) Store(out + i, Exp(row[i] - top) * factor);
    Store(out + label, at_label);
    std::fill(out + vocab, out + padded_vocab, T{});
  }
}

// dx and dw absent: the loss alone.
template <class T>
void Run(CpuStream& stream, const View& x, const View& w, const View& labels, int64_t vocab, float grad_scale,
         const View& loss, const View& dx, const View& dw) {
  int64_t rows = x.shape[0], padded = w.shape[0];
  for (int32_t label : labels.Span<int32_t>()) CHECK(label >= -1 && label < vocab) << label;
  int64_t chunk = CrossEntropyChunk(rows, padded);
  bool backward = dx.data != nullptr;
  Scratch scratch(stream);
  double* losses = scratch.Take<double>(rows);
  float* logits = scratch.Take<float>(chunk * padded);
  // In f32 the gradients are written over the logits they are made from.
  T* gradients = nullptr;
  if (backward) {
    if constexpr (std::is_same_v<T, float>) {
      gradients = logits;
    } else {
      gradients = scratch.Take<T>(chunk * padded);
    }
  }
  const int32_t* label = labels.As<int32_t>();
  // By chunks of rows: the logits of 4 x 1024 tokens of GPT-2 would take 824 MB at once. dw adds
  // up over the chunks, in order.
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    int64_t n = std::min(chunk, rows - begin);
    Gemm(stream, x.Rows(begin, n), Transposed(w), View{}, false, View(logits, DType::kF32, {n, padded}));
    ParallelRows(stream, n, padded, [&](int, int64_t from, int64_t to) {
      Loss<T>(from, to, vocab, padded, logits, label + begin, grad_scale, losses + begin, gradients);
    });
    if (!backward) continue;
    View d(gradients, x.dtype, {n, padded});
    Gemm(stream, d, w, View{}, false, dx.Rows(begin, n));
    Gemm(stream, Transposed(d), x.Rows(begin, n), View{}, true, dw);
  }
  // By one thread, row by row: the order of the sum does not depend on the thread count.
  double sum = 0;
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    sum += losses[r];
    count += label[r] >= 0 ? 1 : 0;
  }
  loss.As<double>()[0] += sum;
  loss.As<double>()[1] += static_cast<double>(count);
}

}  // namespace

void CrossEntropyForward(CpuStream& stream, View x, View w, View labels, int64_t vocab, View loss) {
  WithCompute(x.dtype, [&]<class T>(T) { Run<T>(stream, x, w, labels, vocab, 0.0f, loss, View{}, View{}); });
}

void CrossEntropyForwardBackward(CpuStream& stream, View x, View w, View labels, int64_t vocab,
                                 float grad_scale, View loss, View dx, View dw) {
  WithCompute(x.dtype, [&]<class T>(T) { Run<T>(stream, x, w, labels, vocab, grad_scale, loss, dx, dw); });
}

}  // namespace galley::ops
