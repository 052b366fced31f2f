// What a family says of itself. Pure: no tensors, no device.
#pragma once

#include "runtime/models/layout.h"
#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

// Rows of the embedding and head: `vocab` rounded up to a multiple of 128 x tensor when it is above 128, else
// of `tensor`. The loss and sampling leave the padded rows out, so their gradient is zero.
int64_t PaddedVocab(int64_t vocab, int64_t tensor);

// The table of parameters (embedding first, head last), and FLOPs of the recipe's model.
plan::ModelCard Describe(const recipe::RecipeSpec& spec);

// What the model's blocks work in.
ModelLayout LayoutOf(const recipe::Model& model);

}  // namespace galley::models
