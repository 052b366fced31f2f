#include "runtime/models/describe.h"

#include <algorithm>

#include "runtime/base/check.h"
#include "runtime/models/families.h"

namespace galley::models {

int64_t PaddedVocab(int64_t vocab, int64_t tensor) {
  const int64_t multiple = (vocab > 128 ? 128 : 1) * tensor;
  return (vocab + multiple - 1) / multiple * multiple;
}

namespace {

const Family& FamilyOf(const recipe::Model& model) {
  for (const Family& family : Families()) {
    if (&family.recipe == model.family) return family;
  }
  CHECK(false) << "a model of no family";
  return Families().front();
}

// Logits of a chunk of tokens, in f32, and their gradients where those are of another type. The chunk is the
// cross-entropy op's (runtime/ops/cross_entropy_cpu.cc).
int64_t ScratchBytes(const recipe::RecipeSpec& spec, int64_t padded_vocab) {
  constexpr int64_t kChunkBytes = int64_t{64} << 20;
  const int64_t all = 4 * padded_vocab * spec.model.context * spec.batch.micro;
  const int64_t logits = std::min(all, std::max(kChunkBytes, 64 * 4 * padded_vocab));
  return spec.precision.compute == recipe::Compute::kF32 ? logits : logits / 2 * 3;
}

}  // namespace

recipe::Families RecipeFamilies() {
  recipe::Families families;
  for (const Family& family : Families()) families.push_back(&family.recipe);
  return families;
}

plan::ModelCard Describe(const recipe::RecipeSpec& spec) {
  plan::ModelCard card =
      FamilyOf(spec.model).describe(spec, PaddedVocab(spec.model.vocab, spec.parallelism.tensor));
  card.scratch_bytes = ScratchBytes(spec, card.padded_vocab);
  return card;
}

ModelLayout LayoutOf(const recipe::Model& model) { return FamilyOf(model).layout(model); }

}  // namespace galley::models
