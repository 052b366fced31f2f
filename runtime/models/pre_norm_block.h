// The residual block of GPT-2 and Llama: each branch reads the normalised stream and adds to it ("On Layer
// Normalization in the Transformer Architecture", Xiong et al. 2020, section 3, Pre-LN).
#pragma once

#include "runtime/layers/attention.h"
#include "runtime/layers/mlp.h"
#include "runtime/layers/norm.h"
#include "runtime/models/model.h"
#include "runtime/ops/elementwise.h"

namespace galley::models {

// mid = x + attention(norm1(x));  y = mid + mlp(norm2(mid)).  Mlp: layers::GeluMlp or layers::SwigluMlp.
template <typename Mlp>
class PreNormBlock : public Block {
 public:
  PreNormBlock(int first_param, layers::Norm norm1, layers::Attention attention, layers::Norm norm2, Mlp mlp)
      : first_param_(first_param), norm1_(norm1), attention_(attention), norm2_(norm2), mlp_(mlp) {}

  int first_param() const override { return first_param_; }

  void Forward(Stream& stream, const Batch& batch, const Activations& activations, View x,
               View y) const override {
    const auto& a = As<PreNormActivations>(activations);
    const int64_t rows = x.shape[0];
    View normed1 = a.normed1.Rows(0, rows), normed2 = a.normed2.Rows(0, rows), mid = a.mid.Rows(0, rows);
    View branch = a.branch.Rows(0, rows);
    norm1_.Forward(stream, a.norm1, x, normed1);
    attention_.Forward(stream, batch.sequences(), a.attention, normed1, branch);
    ops::Add(stream, x, branch, mid);
    norm2_.Forward(stream, a.norm2, mid, normed2);
    mlp_.Forward(stream, a.mlp, normed2, branch);
    ops::Add(stream, mid, branch, y);
  }

  void Backward(Stream& stream, const Batch& batch, const Activations& activations, View x, View dy,
                View dx) const override {
    const auto& a = As<PreNormActivations>(activations);
    const int64_t rows = x.shape[0];
    View dmid = a.dmid.Rows(0, rows), dbranch = a.branch.Rows(0, rows);
    mlp_.Backward(stream, a.mlp, a.normed2.Rows(0, rows), dy, dbranch);
    norm2_.Backward(stream, a.norm2, a.mid.Rows(0, rows), dbranch, dy, dmid);
    attention_.Backward(stream, batch.sequences(), a.attention, a.normed1.Rows(0, rows), dmid, dbranch);
    norm1_.Backward(stream, a.norm1, x, dbranch, dmid, dx);
  }

 private:
  int first_param_;
  layers::Norm norm1_;
  layers::Attention attention_;
  layers::Norm norm2_;
  Mlp mlp_;
};

}  // namespace galley::models
