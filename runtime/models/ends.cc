#include "runtime/models/ends.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"

namespace galley::models {
namespace {

class EmbeddingBlock : public Block {
 public:
  explicit EmbeddingBlock(layers::Embedding embedding) : embedding_(embedding) {}
  int first_param() const override { return 0; }
  void Lay(layers::Extent, Arena&, Arena&) override {}
  void Forward(Stream& stream, const Batch& batch, View, View y) override {
    embedding_.Forward(stream, batch.places(), batch.tokens, y);
  }
  void Backward(Stream& stream, const Batch& batch, View, View dy, View) override {
    embedding_.Backward(stream, batch.places(), batch.tokens, dy);
  }

 private:
  layers::Embedding embedding_;
};

class HeadBlock : public Head {
 public:
  HeadBlock(int first_param, layers::Loss loss) : first_param_(first_param), loss_(std::move(loss)) {}
  int first_param() const override { return first_param_; }
  void Lay(layers::Extent extent, Arena& kept, Arena& scratch) override {
    const int64_t mark = scratch.Mark();
    loss_.Lay(extent, kept, scratch);
    scratch.Release(mark);
  }
  // With a backward pass to come all work is left to it: the loss and its gradient are one pass over logits.
  void Forward(Stream& stream, const Batch& batch, View x, View) override {
    if (!batch.backward) loss_.Forward(stream, x, Flat(batch.labels), batch.loss);
  }
  void Backward(Stream& stream, const Batch& batch, View x, View, View dx) override {
    loss_.ForwardBackward(stream, x, Flat(batch.labels), batch.grad_scale, batch.loss, dx);
  }
  void Logits(Stream& stream, View x, View logits) override { loss_.Logits(stream, x, logits); }

 private:
  static View Flat(View labels) { return labels.Reshape({labels.elements()}); }

  int first_param_;
  layers::Loss loss_;
};

}  // namespace

std::unique_ptr<Block> MakeEmbeddingBlock(layers::Embedding embedding) {
  return std::make_unique<EmbeddingBlock>(embedding);
}

std::unique_ptr<Head> MakeHead(int first_param, layers::Loss loss) {
  return std::make_unique<HeadBlock>(first_param, std::move(loss));
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

void ParamCursor::ExpectEnd() const { CHECK_EQ(next_, table_.size()); }

}  // namespace galley::models
