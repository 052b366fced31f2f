// Llama's own keys of the recipe's model section.
#pragma once

#include <cstdint>

#include "runtime/recipe/family.h"

namespace galley::models {

struct LlamaKeys {
  int64_t kv_heads = 0;  // 0 in the recipe's text means heads; after loading it is never 0
  double rope_base = 10000;
  bool tied_embeddings = false;
};

const recipe::Family& LlamaFamily();

}  // namespace galley::models
