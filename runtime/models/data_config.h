// The recipe's data section, and what the plan adds to it, in the data room's plain numbers.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/data_plan.h"
#include "runtime/data/sample_reader.h"
#include "runtime/models/prepare.h"
#include "runtime/recipe/spec.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::models {

data::DataConfig DataConfigOf(const Prepared& prepared);

// A named validation set: its whole file is its training split.
struct NamedSet {
  std::string name;
  data::DataConfig config;
};
// In the recipe's order; none when nothing is evaluated.
std::vector<NamedSet> NamedSetsOf(const recipe::RecipeSpec& spec);

tokenizer::TokenizerSpec TokenizerSpecOf(const recipe::Tokenizer& tokenizer);

// Reads the tokenizer where borders go by its end-of-document token; an error when it has none.
absl::StatusOr<data::MaskOptions> MaskOptionsOf(const recipe::RecipeSpec& spec);

}  // namespace galley::models
