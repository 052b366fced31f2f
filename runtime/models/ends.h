// The two ends that every family has: tokens in, loss out.
#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "runtime/layers/embedding.h"
#include "runtime/layers/linear.h"
#include "runtime/layers/loss.h"
#include "runtime/models/model.h"

namespace galley::models {

std::unique_ptr<Block> MakeEmbeddingBlock(layers::Embedding embedding);
std::unique_ptr<Block> MakeHead(int first_param, layers::Loss loss);

// The parameters of a stage one after the other, each CHECKed to be the one that the model expects, so that a
// spec.cc and a model.cc that disagree fail when the model is made.
class ParamCursor {
 public:
  explicit ParamCursor(const ParamTable& table) : table_(table) {}
  int index() const { return next_; }
  // `name`: the end of the parameter's name.
  const layers::Param* Next(absl::string_view name);
  layers::Linear NextLinear(absl::string_view at, bool bias);  // at.weight (and at.bias)
  // The parameter of exactly this name, wherever in the table it is: how a tied head finds the embedding, be
  // it another block's or, on a stage without that block, a copy.
  const layers::Param* Named(absl::string_view name) const;
  // Passes over a copy of the embedding that a tied head brings to a stage without one.
  void SkipCopy(absl::string_view name);
  void ExpectEnd() const;

 private:
  const ParamTable& table_;
  int next_ = 0;
};

}  // namespace galley::models
