// The one composition of Load, Describe and Build: trainctl, controller and rank call it with the same values
// and get the same plan, hash for hash. Pure.
#pragma once

#include <optional>
#include <vector>

#include "runtime/plan/plan.h"
#include "runtime/recipe/load.h"

namespace galley::models {

struct Prepared {
  recipe::RecipeSpec spec;
  plan::Plan plan;
};

struct PrepareResult {
  std::optional<Prepared> prepared;   // absent when `faults` holds an error
  std::vector<recipe::Fault> faults;  // errors and warnings, sorted by place
};

PrepareResult Prepare(const recipe::RecipeText& text, const plan::Inventory& inventory);
// With the inventory that the recipe's launcher section describes.
PrepareResult Prepare(const recipe::RecipeText& text);

}  // namespace galley::models
