// The tables of a recipe whose model is of one of some families.
#pragma once

#include "runtime/recipe/family.h"
#include "runtime/recipe/table.h"

namespace galley::recipe {

class RecipeTable {
 public:
  explicit RecipeTable(const Families& families);
  // Of what the spec holds: the keys of its own family only.
  explicit RecipeTable(const RecipeSpec& spec);
  RecipeTable(const RecipeTable&) = delete;
  RecipeTable& operator=(const RecipeTable&) = delete;

  const Table& operator*() const { return recipe_; }
  const Table* operator->() const { return &recipe_; }

 private:
  Table model_;
  Table recipe_;  // refers to model_
};

}  // namespace galley::recipe
