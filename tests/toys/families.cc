#include "runtime/models/families.h"

#include "runtime/models/gpt2/keys.h"
#include "runtime/models/gpt2/spec.h"
#include "runtime/models/llama/keys.h"
#include "runtime/models/llama/spec.h"
#include "tests/toys/toy/keys.h"
#include "tests/toys/toy/spec.h"

namespace galley::models {

const std::vector<Family>& Families() {
  static const std::vector<Family> families = {
      {Gpt2Family(), DescribeGpt2},
      {LlamaFamily(), DescribeLlama},
      {ToyFamily(), DescribeToy},
  };
  return families;
}

}  // namespace galley::models
