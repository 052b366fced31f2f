// The residual block of GPT-2 and Llama: each branch reads the normalised stream and adds to it ("On Layer
// Normalization in the Transformer Architecture", Xiong et al. 2020, section 3, Pre-LN).
#pragma once

#include <cstdint>
#include <utility>

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
  PreNormBlock(int first_param, int64_t hidden, layers::Norm norm1, layers::Attention attention,
               layers::Norm norm2, Mlp mlp)
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
    attention_.Forward(stream, batch.places(), normed1, branch);
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
    attention_.Backward(stream, batch.places(), normed1_.Rows(0, rows), dmid, dbranch);
    norm1_.Backward(stream, x, dbranch, dmid, dx);
  }

 private:
  int first_param_;
  int64_t hidden_;
  layers::Norm norm1_;
  layers::Attention attention_;
  layers::Norm norm2_;
  Mlp mlp_;
  View normed1_, mid_, normed2_;  // kept
  View branch_, dmid_;            // scratch
};

}  // namespace galley::models
