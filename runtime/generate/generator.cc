#include "runtime/generate/generator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/models/engine.h"

namespace galley::generate {
namespace {

// Sequences are padded to multiples of this: causal attention hides what follows, and few different shapes
// mean few kernels to prepare.
constexpr int64_t kGrain = 32;

models::EngineOptions OptionsOf(const recipe::RecipeSpec& spec) {
  return {.mode = models::EngineMode::kInfer, .rows = spec.model.context};
}

struct Tensors {
  models::EngineTensors engine;
  View tokens;  // (context) i32
  View logits;  // (1, vocab) f32
};
Tensors Allocate(const recipe::RecipeSpec& spec, const plan::ModelCard& card, layers::Memory& memory) {
  Tensors t;
  t.engine = models::AllocateEngine(spec, card, OptionsOf(spec), memory);
  t.tokens = memory.kept.Take(DType::kI32, {spec.model.context});
  t.logits = memory.kept.Take(DType::kF32, {1, spec.model.vocab});
  return t;
}

class Decoder : public Generator {
 public:
  Decoder(const recipe::RecipeSpec& spec, const plan::ModelCard& card, const layers::Memory& measured,
          int threads, const Device& device)
      : model_(spec.model),
        memory_(layers::BindMemory(device, measured)),
        tensors_(Allocate(spec, card, memory_)),
        engine_(model_, card, OptionsOf(spec), std::move(tensors_.engine), MakeStream(device, threads)),
        text_(static_cast<size_t>(model_.context)),
        logits_(static_cast<size_t>(model_.vocab)) {}

  std::vector<checkpoint::Item> WeightItems() const override { return engine_.weights().Items(); }

  Stream& stream() override { return engine_.stream(); }

  void Loaded() override { engine_.weights().Refresh(stream()); }

  absl::StatusOr<std::span<const float>> Logits(std::span<const int32_t> text) override {
    if (text.empty()) return absl::InvalidArgumentError("no tokens to start from: give a prompt");
    const int64_t context = model_.context;
    if (static_cast<int64_t>(text.size()) > context) text = text.last(static_cast<size_t>(context));
    const auto given = static_cast<int64_t>(text.size());
    const int64_t rows = std::min(context, (given + kGrain - 1) / kGrain * kGrain);
    for (int64_t i = 0; i < rows; ++i) {
      const int32_t id = i < given ? text[static_cast<size_t>(i)] : 0;
      if (id < 0 || id >= model_.vocab) {
        return absl::InvalidArgumentError(
            absl::StrCat("token id ", id, ": the vocabulary has ", model_.vocab));
      }
      text_[static_cast<size_t>(i)] = id;
    }
    // There is no cache of keys and values: every token is a forward pass over the whole text.
    const View tokens = tensors_.tokens.Rows(0, rows);
    Copy(stream(), View(text_.data(), DType::kI32, {rows}), tokens);
    engine_.Forward(0, {.tokens = tokens.Reshape({1, rows}), .labels = {}, .backward = false, .loss = {}});
    engine_.Logits(0, given - 1, tensors_.logits);
    Copy(stream(), tensors_.logits, View(logits_.data(), DType::kF32, {1, model_.vocab}));
    arrived_.Record(stream());
    arrived_.Wait();
    return logits_;
  }

 private:
  const recipe::Model model_;
  layers::Memory memory_;
  Tensors tensors_;
  models::Engine engine_;
  std::vector<int32_t> text_;  // (context), padded
  std::vector<float> logits_;  // (vocab)
  Event arrived_;              // they
};

}  // namespace

std::unique_ptr<Generator> Generator::Create(const recipe::RecipeSpec& spec, const plan::ModelCard& card,
                                             int threads, const Device& device) {
  layers::Memory memory;
  Allocate(spec, card, memory);
  return std::make_unique<Decoder>(spec, card, memory, threads, device);
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
