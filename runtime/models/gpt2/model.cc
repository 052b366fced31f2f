#include "runtime/models/gpt2/model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/layers/attention.h"
#include "runtime/layers/mlp.h"
#include "runtime/layers/norm.h"
#include "runtime/models/ends.h"
#include "runtime/ops/elementwise.h"

namespace galley::models {
namespace {

// mid = x + attention(ln1(x));  y = mid + mlp(ln2(mid)).
class Layer : public Block {
 public:
  Layer(int first_param, int64_t hidden, layers::Norm norm1, layers::Attention attention, layers::Norm norm2,
        layers::GeluMlp mlp)
      : first_param_(first_param),
        hidden_(hidden),
        norm1_(norm1),
        attention_(std::move(attention)),
        norm2_(norm2),
        mlp_(mlp) {}

  int first_param() const override { return first_param_; }

  void Lay(layers::Extent extent, Arena& kept, Arena& scratch) override {
    const Shape shape{extent.rows, hidden_};
    for (View* v : {&normed1_, &mid_, &normed2_}) *v = kept.Take(extent.compute, shape);
    norm1_.Lay(extent, kept);
    norm2_.Lay(extent, kept);

    const int64_t mark = scratch.Mark();
    for (View* v : {&branch_, &dmid_}) *v = scratch.Take(extent.compute, shape);
    const int64_t parts = scratch.Mark();  // attention and MLP never work at the same time
    attention_.Lay(extent, kept, scratch);
    scratch.Release(parts);
    mlp_.Lay(extent, kept, scratch);
    scratch.Release(mark);
  }

  void Forward(Stream& stream, const Batch& batch, View x, View y) override {
    const int64_t rows = x.shape[0];
    View normed1 = normed1_.Rows(0, rows), normed2 = normed2_.Rows(0, rows), mid = mid_.Rows(0, rows);
    View branch = branch_.Rows(0, rows);
    norm1_.Forward(stream, x, normed1);
    attention_.Forward(stream, batch.tokens.shape[1], normed1, branch);
    ops::Add(stream, x, branch, mid);
    norm2_.Forward(stream, mid, normed2);
    mlp_.Forward(stream, normed2, branch);
    ops::Add(stream, mid, branch, y);
  }

  void Backward(Stream& stream, const Batch& batch, View x, View dy, View dx) override {
    const int64_t rows = x.shape[0];
    View dmid = dmid_.Rows(0, rows), dbranch = branch_.Rows(0, rows);
    mlp_.Backward(stream, normed2_.Rows(0, rows), dy, dbranch);
    norm2_.Backward(stream, mid_.Rows(0, rows), dbranch, dy, dmid);
    attention_.Backward(stream, batch.tokens.shape[1], normed1_.Rows(0, rows), dmid, dbranch);
    norm1_.Backward(stream, x, dbranch, dmid, dx);
  }

 private:
  int first_param_;
  int64_t hidden_;
  layers::Norm norm1_;
  layers::Attention attention_;
  layers::Norm norm2_;
  layers::GeluMlp mlp_;
  View normed1_, mid_, normed2_;  // kept
  View branch_, dmid_;            // scratch
};

ops::Gelu GeluOf(recipe::Activation activation) {
  CHECK(activation == recipe::Activation::kGeluTanh || activation == recipe::Activation::kGeluErf)
      << "gpt2 takes no gated activation";
  return activation == recipe::Activation::kGeluTanh ? ops::Gelu::kTanh : ops::Gelu::kErf;
}

}  // namespace

Model MakeGpt2(const recipe::Model& spec, const ParamTable& params) {
  ParamCursor next(params);
  auto norm = [&](absl::string_view at) {
    const layers::Param* gain = next.Next(absl::StrCat(at, ".gain"));
    return layers::Norm(gain, next.Next(absl::StrCat(at, ".bias")), spec.norm_eps);
  };
  const layers::AttentionSpec attention{
      .heads = spec.heads, .kv_heads = spec.heads, .head_dim = spec.hidden / spec.heads, .rope = {}};
  Model model;
  const layers::Param* tokens = next.Next("wte");
  model.blocks.push_back(MakeEmbeddingBlock(layers::Embedding(tokens, next.Next("wpe"))));
  for (int64_t l = 0; l < spec.layers; ++l) {
    const int first = next.index();
    layers::Norm norm1 = norm("ln1");
    layers::Linear qkv = next.NextLinear("attn.qkv", true), out = next.NextLinear("attn.out", true);
    layers::Norm norm2 = norm("ln2");
    layers::Linear up = next.NextLinear("mlp.up", true), down = next.NextLinear("mlp.down", true);
    model.blocks.push_back(std::make_unique<Layer>(first, spec.hidden, norm1,
                                                   layers::Attention(attention, qkv, out), norm2,
                                                   layers::GeluMlp(GeluOf(spec.activation), up, down)));
  }
  const int first = next.index();
  model.blocks.push_back(MakeHead(first, layers::Loss(norm("ln_f"), tokens, spec.vocab)));
  next.ExpectEnd();
  return model;
}

}  // namespace galley::models
