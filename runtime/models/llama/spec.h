// Llama (RMSNorm, rotary positions, grouped queries, gated MLP): its parameters and FLOPs. Pure arithmetic.
#pragma once

#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

// Order: embedding, then a layer's norm1, attn.qkv ([q; k; v] rows), attn.out, norm2, mlp.gate_up
// ([gate; up] rows), mlp.down, then norm_f and, unless tied, head.
plan::ModelCard DescribeLlama(const recipe::RecipeSpec& spec, int64_t padded_vocab);

}  // namespace galley::models
