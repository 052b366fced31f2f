#include "runtime/models/describe.h"

#include "runtime/base/check.h"
#include "runtime/models/gpt2/spec.h"
#include "runtime/models/llama/spec.h"

namespace galley::models {

int64_t PaddedVocab(int64_t vocab, int64_t tensor) {
  const int64_t multiple = (vocab > 128 ? 128 : 1) * tensor;
  return (vocab + multiple - 1) / multiple * multiple;
}

plan::ModelCard Describe(const recipe::RecipeSpec& spec) {
  const int64_t padded = PaddedVocab(spec.model.vocab, spec.parallelism.tensor);
  switch (spec.model.family) {
    case recipe::Family::kGpt2:
      return DescribeGpt2(spec, padded);
    case recipe::Family::kLlama:
      return DescribeLlama(spec, padded);
  }
  CHECK(false) << "family without a card";
  return {};
}

}  // namespace galley::models
