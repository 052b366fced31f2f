#include "runtime/generate/generator.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/models/model.h"
#include "runtime/models/params.h"
#include "runtime/ops/elementwise.h"
#include "runtime/tensor/arena.h"

namespace galley::generate {
namespace {

// Sequences are padded to multiples of this: causal attention hides what follows, and few different shapes
// mean few kernels to prepare.
constexpr int64_t kGrain = 32;

class Engine : public Generator {
 public:
  Engine(const recipe::RecipeSpec& spec, const plan::ModelCard& card, int threads)
      : model_spec_(spec.model),
        card_(card),
        compute_(spec.precision.compute == recipe::Compute::kF32 ? DType::kF32 : DType::kBF16),
        stream_(CpuStream(threads)),
        table_(card_, compute_),
        model_(models::MakeModel(model_spec_, table_)) {
    Arena kept, scratch;
    Lay(kept, scratch);
    kept_ = Arena(Buffer(Device(), kept.peak()));
    scratch_ = Arena(Buffer(Device(), scratch.peak()));
    Lay(kept_, scratch_);
    table_.Bind(weights_, master_, View{});
  }

  std::vector<checkpoint::Item> WeightItems() const override {
    std::vector<checkpoint::Item> items;
    for (int i = 0; i < table_.size(); ++i) {
      items.push_back(
          checkpoint::Item::Whole(absl::StrCat("model.", table_.spec(i).name), table_.Slice(master_, i)));
    }
    return items;
  }

  void Loaded() override {
    if (compute_ != DType::kF32) ops::Convert(stream_, master_, weights_);
  }

  absl::StatusOr<std::span<const float>> Logits(std::span<const int32_t> text) override {
    if (text.empty()) return absl::InvalidArgumentError("no tokens to go on from: give a prompt");
    const int64_t context = model_spec_.context;
    if (static_cast<int64_t>(text.size()) > context) text = text.last(static_cast<size_t>(context));
    const auto places = static_cast<int64_t>(text.size());
    const int64_t rows = std::min(context, (places + kGrain - 1) / kGrain * kGrain);
    int32_t* tokens = tokens_.As<int32_t>();
    for (int64_t i = 0; i < rows; ++i) {
      const int32_t id = i < places ? text[static_cast<size_t>(i)] : 0;
      if (id < 0 || id >= model_spec_.vocab) {
        return absl::InvalidArgumentError(
            absl::StrCat("token id ", id, ": the vocabulary has ", model_spec_.vocab));
      }
      tokens[i] = id;
    }
    const models::Batch batch{.tokens = tokens_.Rows(0, rows).Reshape({1, rows}), .labels = {}, .loss = {}};
    View x, y = streams_[0].Rows(0, rows);
    for (size_t i = 0; i + 1 < model_.blocks.size(); ++i) {
      model_.blocks[i]->Forward(stream_, batch, x, y);
      x = y;
      y = streams_[(i + 1) % 2].Rows(0, rows);
    }
    model_.head().Logits(stream_, x.Rows(places - 1, 1), logits_);
    return logits_.Span<float>();
  }

 private:
  void Lay(Arena& kept, Arena& scratch) {
    const Shape flat{table_.elements()};
    master_ = kept.Take(DType::kF32, flat);
    weights_ = compute_ == DType::kF32 ? master_ : kept.Take(compute_, flat);
    tokens_ = kept.Take(DType::kI32, {model_spec_.context});
    logits_ = kept.Take(DType::kF32, {1, model_spec_.vocab});
    for (View& s : streams_) s = kept.Take(compute_, {model_spec_.context, model_spec_.hidden});
    // No backward pass comes, so what one block keeps the next may overwrite.
    const int64_t mark = kept.Mark();
    for (auto& block : model_.blocks) {
      block->Lay({.rows = model_spec_.context, .compute = compute_}, kept, scratch);
      kept.Release(mark);
    }
  }

  const recipe::Model model_spec_;
  const plan::ModelCard card_;
  const DType compute_;
  Stream stream_;
  models::ParamTable table_;
  models::Model model_;
  Arena kept_, scratch_;
  View master_, weights_;        // flat
  View tokens_;                  // (context) i32
  View logits_;                  // (1, vocab) f32
  std::array<View, 2> streams_;  // (context, hidden): block input and output, in turns
};

}  // namespace

std::unique_ptr<Generator> Generator::Create(const recipe::RecipeSpec& spec, const plan::ModelCard& card,
                                             int threads) {
  return std::make_unique<Engine>(spec, card, threads);
}

absl::Status Continue(Generator& generator, const Sampling& sampling, int64_t count,
                      std::vector<int32_t>& tokens, const std::function<bool(int32_t)>& emit) {
  RETURN_IF_ERROR(Check(sampling));
  for (int64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(std::span<const float> logits, generator.Logits(tokens));
    const int32_t token = Sample(logits, sampling, tokens.size());
    tokens.push_back(token);
    if (!emit(token)) break;
  }
  return absl::OkStatus();
}

}  // namespace galley::generate
