// GPT-2's own keys of the recipe's model section.
#pragma once

#include "runtime/recipe/family.h"

namespace galley::models {

struct Gpt2Keys {
  double dropout_hidden = 0;
  double dropout_attention = 0;
};

const recipe::Family& Gpt2Family();

}  // namespace galley::models
