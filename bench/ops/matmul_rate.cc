#include "bench/ops/matmul_rate.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/rng.h"
#include "runtime/ops/gemm.h"

namespace galley::bench {
namespace {

constexpr int64_t kHeadRows = 256;

struct Operands {
  View x, w, y, dw;
};

Operands Allocate(Arena& arena, const LinearShape& s, DType dtype) {
  return {arena.Take(dtype, {s.rows, s.in}), arena.Take(dtype, {s.out, s.in}),
          arena.Take(dtype, {s.rows, s.out}), arena.Take(DType::kF32, {s.out, s.in})};
}

// Ordinary values: products of zeros or denormals would run at another speed.
void Fill(const View& v) {
  Philox rng(1, 2);
  for (int64_t i = 0; i < v.elements(); ++i) {
    auto value = static_cast<float>(rng.Uniform(static_cast<uint64_t>(i % 4096)) - 0.5);
    if (v.dtype == DType::kF32) {
      v.As<float>()[i] = value;
    } else {
      v.As<BF16>()[i] = BF16(value);
    }
  }
}

}  // namespace

std::vector<LinearShape> Gpt2Shapes(int64_t tokens) {
  return {{"qkv", 768, 2304, tokens, 12},
          {"attn_out", 768, 768, tokens, 12},
          {"mlp_up", 768, 3072, tokens, 12},
          {"mlp_down", 3072, 768, tokens, 12},
          {"head", 768, 50304, kHeadRows, tokens / kHeadRows}};
}

MatmulRate::MatmulRate(Slices& slices, std::vector<LinearShape> shapes, DType dtype, int threads)
    : slices_(slices), shapes_(std::move(shapes)), first_(slices.items().size()), stream_(threads) {
  Arena measure;
  for (const LinearShape& s : shapes_) Allocate(measure, s, dtype);
  arena_ = Arena(Buffer(Device(), measure.used()));
  for (const LinearShape& s : shapes_) {
    Operands o = Allocate(arena_, s, dtype);
    for (const View& v : {o.x, o.w, o.y}) Fill(v);
    double flops = 2.0 * static_cast<double>(s.rows * s.in * s.out);
    auto add = [&](const char* kind, View a, View b, bool accumulate, View c) {
      slices.Add(absl::StrCat("oneDNN ", s.name, kind), flops, [this, a, b, accumulate, c] {
        if (!ops::DnnlGemm(stream_, a, b, View{}, accumulate, c)) {
          ops::BlockedGemm(stream_, a, b, View{}, accumulate, c);
        }
      });
    };
    add(" y", o.x, ops::Transposed(o.w), false, o.y);
    add(" dx", o.y, o.w, false, o.x);
    add(" dw", ops::Transposed(o.y), o.x, true, o.dw);
  }
}

double MatmulRate::StepFlops() const {
  double flops = 0;
  for (size_t i = 0; i < shapes_.size() * 3; ++i) {
    flops += slices_.items()[first_ + i].work * static_cast<double>(shapes_[i / 3].count);
  }
  return flops;
}

double MatmulRate::StepSeconds(bool best) const {
  double seconds = 0;
  for (size_t i = 0; i < shapes_.size() * 3; ++i) {
    const Slices::Item& item = slices_.items()[first_ + i];
    seconds += (best ? item.Best() : item.Median()) * static_cast<double>(shapes_[i / 3].count);
  }
  return seconds;
}

double MatmulRate::MedianRate() const { return StepFlops() / StepSeconds(false); }
double MatmulRate::BestRate() const { return StepFlops() / StepSeconds(true); }

}  // namespace galley::bench
