// Every op at GPT-2 124M's sizes, beside oneDNN's matmul: bench-ops [f32|bf16] [seconds] [threads]
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/ops/matmul_rate.h"
#include "runtime/ops/adamw_update.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/cross_entropy.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/embedding.h"
#include "runtime/ops/gelu.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/layer_norm.h"
#include "runtime/ops/rms_norm.h"
#include "runtime/ops/swiglu.h"

namespace galley::bench {
namespace {

constexpr int64_t kSequence = 256, kTokens = 4 * kSequence, kDim = 768, kHeads = 12, kFfn = 3072;
constexpr int64_t kVocab = 50257, kPadded = 50304, kParameters = 124'439'808;

// The views of one run, allocated twice: to measure, then to bind.
struct Memory {
  View x, y, dy, qkv, dqkv, ffn, dffn, logs, mean, scale, gain, dgain, dbias, tokens, embedding, dembedding,
      loss, grad, m, v, w, copy;

  void Allocate(Arena& a, DType t) {
    DType f = DType::kF32;
    for (View* view : {&x, &y, &dy}) *view = a.Take(t, {kTokens, kDim});
    for (View* view : {&qkv, &dqkv}) *view = a.Take(t, {kTokens, 3 * kDim});
    for (View* view : {&ffn, &dffn}) *view = a.Take(t, {kTokens, kFfn});
    logs = a.Take(f, {kTokens, kHeads});
    for (View* view : {&mean, &scale}) *view = a.Take(f, {kTokens});
    for (View* view : {&gain, &dgain, &dbias}) *view = a.Take(f, {kDim});
    tokens = a.Take(DType::kI32, {kTokens});
    embedding = a.Take(t, {kPadded, kDim});
    dembedding = a.Take(f, {kPadded, kDim});
    loss = a.Take(DType::kF64, {2});
    for (View* view : {&grad, &m, &v, &w}) *view = a.Take(f, {kParameters});
    copy = a.Take(DType::kBF16, {kParameters});
  }
};

void Fill(const View& v) {
  for (int64_t i = 0; i < v.elements(); ++i) {
    float value = static_cast<float>(i * 7919 % 1000) / 500.0f - 1.0f;
    if (v.dtype == DType::kF32) v.As<float>()[i] = value;
    if (v.dtype == DType::kBF16) v.As<BF16>()[i] = BF16(value);
    if (v.dtype == DType::kI32) v.As<int32_t>()[i] = static_cast<int32_t>(i * 7919 % kVocab);
  }
}

void AddOps(Slices& slices, Stream& stream, const Memory& k, DType t) {
  auto bytes = [&](int64_t matrices) { return static_cast<double>(matrices * kTokens * kDim * SizeOf(t)); };
  ops::AttentionShape shape{kHeads, kHeads, kDim / kHeads, kSequence};
  // Of a causal product only half of the multiply-adds count.
  double scores = 2.0 * kTokens * kSequence * kDim;
  slices.Add("attention y", scores,
             [=, &stream] { ops::AttentionForward(stream, shape, k.qkv, View{}, k.y, k.logs); });
  slices.Add("attention d", 2.5 * scores, [=, &stream] {
    ops::AttentionBackward(stream, shape, k.qkv, View{}, k.y, k.logs, k.dy, k.dqkv);
  });
  slices.Add("head loss+d", 6.0 * kTokens * kDim * kPadded, [=, &stream] {
    ops::CrossEntropyForwardBackward(stream, k.x, k.embedding, k.tokens, kVocab, 1e-3f, k.loss, k.dy,
                                     k.dembedding);
  });
  slices.Add("layer_norm y", bytes(2), [=, &stream] {
    ops::LayerNormForward(stream, k.x, k.gain, k.gain, 1e-5f, k.y, k.mean, k.scale);
  });
  slices.Add("layer_norm d", bytes(4), [=, &stream] {
    ops::LayerNormBackward(stream, k.x, k.gain, k.mean, k.scale, k.dy, k.dy, k.dy, k.dgain, k.dbias);
  });
  slices.Add("rms_norm y", bytes(2),
             [=, &stream] { ops::RmsNormForward(stream, k.x, k.gain, 1e-5f, k.y, k.scale); });
  slices.Add("rms_norm d", bytes(4),
             [=, &stream] { ops::RmsNormBackward(stream, k.x, k.gain, k.scale, k.dy, k.dy, k.dy, k.dgain); });
  slices.Add("gelu y", bytes(8), [=, &stream] { ops::GeluForward(stream, ops::Gelu::kTanh, k.ffn, k.dffn); });
  slices.Add("gelu d", bytes(12),
             [=, &stream] { ops::GeluBackward(stream, ops::Gelu::kTanh, k.ffn, k.dffn, k.dffn); });
  slices.Add("add", bytes(3), [=, &stream] { ops::Add(stream, k.x, k.y, k.dy); });
  slices.Add("embedding y", bytes(2), [=, &stream] {
    ops::EmbeddingForward(stream, k.tokens, k.embedding, View{}, View{}, kSequence, k.y);
  });
  slices.Add("embedding d", bytes(1), [=, &stream] {
    ops::EmbeddingBackward(stream, k.tokens, k.dy, View{}, kSequence, k.dembedding, View{});
  });
  slices.Add("grad norm", 4.0 * kParameters, [=, &stream] {
    double sum = 0;
    ops::AddSumOfSquares(stream, k.grad, View(&sum, DType::kF64, {1}));
  });
  slices.Add("adamw", (t == DType::kF32 ? 28.0 : 30.0) * kParameters, [=, &stream] {
    ops::AdamWUpdate(stream, {}, k.grad, k.m, k.v, k.w, t == DType::kF32 ? View{} : k.copy);
  });
  slices.Add("zero grads", 4.0 * kParameters, [=, &stream] { ops::Zero(stream, k.grad); });
}

int Main(int argc, char** argv) {
  DType dtype = argc > 1 && std::string(argv[1]) == "f32" ? DType::kF32 : DType::kBF16;
  double seconds = argc > 2 ? std::atof(argv[2]) : 20;
  int threads = argc > 3 ? std::atoi(argv[3]) : 2;

  Slices slices;
  MatmulRate rate(slices, Gpt2Shapes(kTokens), dtype, threads);
  size_t matmuls = slices.items().size();
  Stream stream{CpuStream(threads)};
  Memory memory;
  Arena measure;
  memory.Allocate(measure, dtype);
  Arena arena{Buffer(Device(), measure.used())};
  memory.Allocate(arena, dtype);
  for (const View& v : {memory.x, memory.dy, memory.qkv, memory.ffn, memory.gain, memory.tokens,
                        memory.embedding, memory.grad, memory.w}) {
    Fill(v);
  }
  AddOps(slices, stream, memory, dtype);
  CpuStream own(threads);
  View left = memory.x, right = memory.qkv;
  slices.Add("own qkv dw", 2.0 * kTokens * kDim * 3 * kDim, [&] {
    ops::BlockedGemm(own, ops::Transposed(right), left, View{}, true,
                     View(memory.grad.data, DType::kF32, {3 * kDim, kDim}));
  });
  slices.Run(seconds);

  std::printf("%s, %d threads, %zu rounds\n", std::string(Name(dtype)).c_str(), threads,
              slices.items()[0].seconds.size());
  std::printf("%-20s %10s %10s %12s %12s\n", "", "median ms", "best ms", "median G/s", "best G/s");
  for (const Slices::Item& item : slices.items()) {
    std::printf("%-20s %10.3f %10.3f %12.1f %12.1f\n", item.name.c_str(), item.Median() * 1e3,
                item.Best() * 1e3, item.work / item.Median() / 1e9, item.work / item.Best() / 1e9);
  }
  std::printf("oneDNN over the %zu products of a step: %.1f GFLOP/s median, %.1f best (%.0f GFLOP)\n",
              matmuls, rate.MedianRate() / 1e9, rate.BestRate() / 1e9, rate.StepFlops() / 1e9);
  return 0;
}

}  // namespace
}  // namespace galley::bench

int main(int argc, char** argv) { return galley::bench::Main(argc, argv); }
