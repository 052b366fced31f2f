// A family of tests: Llama under another name, which says how many query heads share one key and value head
// instead of how many such heads there are.
#pragma once

#include <cstdint>

#include "runtime/recipe/family.h"

namespace galley::models {

struct ToyKeys {
  int64_t sharing = 1;
};

const recipe::Family& ToyFamily();

// The same model as Llama spells it.
recipe::Model AsLlama(const recipe::Model& toy);

}  // namespace galley::models
