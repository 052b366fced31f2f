#include "runtime/models/families.h"

#include "runtime/models/gpt2/keys.h"
#include "runtime/models/gpt2/layout.h"
#include "runtime/models/gpt2/spec.h"
#include "runtime/models/llama/keys.h"
#include "runtime/models/llama/layout.h"
#include "runtime/models/llama/spec.h"

namespace galley::models {

const std::vector<Family>& Families() {
  static const std::vector<Family> families = {
      {Gpt2Family(), DescribeGpt2, Gpt2Layout},
      {LlamaFamily(), DescribeLlama, LlamaLayout},
  };
  return families;
}

}  // namespace galley::models
