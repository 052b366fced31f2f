#include "runtime/models/describe.h"

#include "runtime/base/check.h"
#include "runtime/models/families.h"

namespace galley::models {

int64_t PaddedVocab(int64_t vocab, int64_t tensor) {
  // As Megatron-LM pads: 128 rows for each tensor rank. A vocabulary of bytes or characters stays small.
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

}  // namespace

recipe::Families RecipeFamilies() {
  recipe::Families families;
  for (const Family& family : Families()) families.push_back(&family.recipe);
  return families;
}

plan::ModelCard Describe(const recipe::RecipeSpec& spec) {
  return FamilyOf(spec.model).describe(spec, PaddedVocab(spec.model.vocab, spec.parallelism.tensor));
}

ModelLayout LayoutOf(const recipe::Model& model) { return FamilyOf(model).layout(model); }

}  // namespace galley::models
