// Text from a model: weights of a checkpoint, one token after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/generate/sample.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"
#include "runtime/tensor/stream.h"

namespace galley::generate {

class Generator {
 public:
  // Takes memory for the weights and one sequence of model.context positions. Weights are zero until loaded.
  static std::unique_ptr<Generator> Create(const recipe::RecipeSpec& spec, const plan::ModelCard& card,
                                           int threads, const Device& device = {});
  virtual ~Generator() = default;

  // What to fill from a checkpoint: "model.<name>", f32, by work on stream(). Call Loaded after.
  virtual std::vector<checkpoint::Item> WeightItems() const = 0;
  virtual Stream& stream() = 0;
  virtual void Loaded() = 0;

  // (vocab) logits of the token that follows `tokens`; beyond model.context only the last ones count. Valid
  // until the next call. kInvalidArgument for no tokens or an id outside the vocabulary.
  virtual absl::StatusOr<std::span<const float>> Logits(std::span<const int32_t> tokens) = 0;
};

// Appends up to `count` tokens to `tokens`, until `emit` (called with each new token) returns false. The
// random number of a token depends on its position in the text, not on how much of it was the prompt.
absl::Status Continue(Generator& generator, const Sampling& sampling, int64_t count,
                      std::vector<int32_t>& tokens, const std::function<bool(int32_t)>& emit);

}  // namespace galley::generate
