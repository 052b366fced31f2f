// GPT-2 (pre-LN, learned positions, biases, tied head): its parameters and FLOPs. Pure arithmetic.
#pragma once

#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

// Order: wte, wpe, then a layer's ln1, attn.qkv ([q; k; v] rows), attn.out, ln2, mlp.up, mlp.down, then ln_f.
// Every gain and weight is followed by its bias. The head is wte.
plan::ModelCard DescribeGpt2(const recipe::RecipeSpec& spec, int64_t padded_vocab);

}  // namespace galley::models
