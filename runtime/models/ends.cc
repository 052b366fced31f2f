#include "runtime/models/ends.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"

namespace galley::models {
namespace {

class EmbeddingBlock : public Block {
 public:
  explicit EmbeddingBlock(layers::Embedding embedding) : embedding_(embedding) {}
  int first_param() const override { return 0; }
  void Forward(Stream& stream, const Batch& batch, const Activations&, View, View y) const override {
    embedding_.Forward(stream, batch.sequences(), batch.tokens, y);
  }
  void Backward(Stream& stream, const Batch& batch, const Activations&, View, View dy, View) const override {
    embedding_.Backward(stream, batch.sequences(), batch.tokens, dy);
  }

 private:
  layers::Embedding embedding_;
};

class LossBlock : public Head {
 public:
  LossBlock(int first_param, layers::Loss loss) : first_param_(first_param), loss_(loss) {}
  int first_param() const override { return first_param_; }
  // With a backward pass to come all work is left to it: the loss and its gradient are one pass over logits.
  void Forward(Stream& stream, const Batch& batch, const Activations& a, View x, View) const override {
    if (batch.backward || batch.labels.data == nullptr) return;
    loss_.Forward(stream, Of(a), x, Flat(batch.labels), batch.loss);
  }
  void Backward(Stream& stream, const Batch& batch, const Activations& a, View x, View,
                View dx) const override {
    loss_.ForwardBackward(stream, Of(a), x, Flat(batch.labels), batch.grad_scale, batch.loss, dx);
  }
  void Logits(Stream& stream, const Activations& a, View x, View logits) const override {
    loss_.Logits(stream, Of(a), x, logits);
  }

 private:
  static View Flat(View labels) { return labels.Reshape({labels.elements()}); }
  static const layers::LossActivations& Of(const Activations& a) { return As<HeadActivations>(a).loss; }

  int first_param_;
  layers::Loss loss_;
};

}  // namespace

std::unique_ptr<Block> MakeEmbeddingBlock(layers::Embedding embedding) {
  return std::make_unique<EmbeddingBlock>(embedding);
}

std::unique_ptr<Block> MakeHead(int first_param, layers::Loss loss) {
  return std::make_unique<LossBlock>(first_param, loss);
}

const layers::Param* ParamCursor::Next(absl::string_view name) {
  CHECK_LT(next_, table_.size());
  CHECK(absl::EndsWith(table_.spec(next_).name, name)) << table_.spec(next_).name << " is not " << name;
  return table_.at(next_++);
}

layers::Linear ParamCursor::NextLinear(absl::string_view at, bool bias) {
  const layers::Param* weight = Next(absl::StrCat(at, ".weight"));
  return layers::Linear(weight, bias ? Next(absl::StrCat(at, ".bias")) : nullptr);
}

const layers::Param* ParamCursor::Named(absl::string_view name) const {
  for (int i = 0; i < table_.size(); ++i) {
    if (table_.spec(i).name == name) return table_.at(i);
  }
  CHECK(false) << "no parameter " << name;
  return nullptr;
}

void ParamCursor::SkipCopy(absl::string_view name) {
  if (next_ < table_.size() && table_.spec(next_).name == name) ++next_;
}

void ParamCursor::ExpectEnd() const { CHECK_EQ(next_, table_.size()); }

}  // namespace galley::models
