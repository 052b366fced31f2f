// The recipe's data section, and what the plan adds to it, in plain numbers for runtime/data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/sample_reader.h"
#include "runtime/prepare/prepare.h"
#include "runtime/recipe/spec.h"

namespace galley::prepare {

data::DataConfig DataConfigOf(const Prepared& prepared);

// A named validation set: its whole file is its training split.
struct NamedSet {
  std::string name;
  data::DataConfig config;
};
// In the recipe's order; none when nothing is evaluated.
std::vector<NamedSet> NamedSetsOf(const recipe::RecipeSpec& spec);

// Whether documents end at the tokenizer's end-of-document token, which MaskOptionsOf must then be told.
bool SeparatorsDivideDocuments(const recipe::RecipeSpec& spec);
// kInvalidArgument when documents end at a separator and the tokenizer has none.
absl::StatusOr<data::MaskOptions> MaskOptionsOf(const recipe::RecipeSpec& spec,
                                                std::optional<int32_t> separator);

}  // namespace galley::prepare
