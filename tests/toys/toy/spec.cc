#include "tests/toys/toy/spec.h"

#include "runtime/models/llama/spec.h"
#include "tests/toys/toy/keys.h"

namespace galley::models {

plan::ModelCard DescribeToy(const recipe::RecipeSpec& spec, int64_t padded_vocab) {
  recipe::RecipeSpec llama = spec;
  llama.model = AsLlama(spec.model);
  plan::ModelCard card = DescribeLlama(llama, padded_vocab);
  card.family = "toy";
  return card;
}

}  // namespace galley::models
