// The one composition of Load, Describe and Build: trainctl, controller and rank call it with the same values
// and get the same plan, hash for hash. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"
#include "runtime/recipe/load.h"

namespace galley::prepare {

struct Prepared {
  recipe::RecipeSpec spec;
  plan::Plan plan;
};

struct PrepareResult {
  recipe::RecipeText text;            // what the plan was made from
  std::optional<Prepared> prepared;   // absent when `faults` holds an error
  std::vector<recipe::Fault> faults;  // errors and warnings, sorted by location
  recipe::Origins origins;            // where the text's fields were written; not of a user's file
};

// The families and all checks above the recipe, for recipe::Load.
recipe::Rules Rules();

PrepareResult Prepare(const recipe::RecipeText& text, const plan::Inventory& inventory);
// With the inventory that the recipe's launcher section describes.
PrepareResult Prepare(const recipe::RecipeText& text);
// The same from the user's file. Reads it and its bases, so not pure.
PrepareResult PrepareFile(const std::string& path, const std::vector<std::string>& sets);

// The plan for the nodes that a run was given, without its recipe being read or planned again: what Prepare
// makes for this inventory. REQUIRES: an inventory of the mesh's ranks.
plan::Plan OnMachines(const Prepared& prepared, const plan::Inventory& inventory);

}  // namespace galley::prepare
