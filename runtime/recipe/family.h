// A model family as the recipe sees it. The families stand in runtime/models, above the recipe, and are
// handed to Load and to the schema as values.
#pragma once

#include <string>
#include <vector>

#include "runtime/recipe/checker.h"
#include "runtime/recipe/table.h"

namespace galley::recipe {

// Lives as long as the program: specs point at it.
struct Family {
  std::string name;                     // "llama", as model.family names it
  std::string doc;                      // what it is, in the doc of model.family
  std::vector<Activation> activations;  // that model.activation may be; the first is the default
  FamilyKeys defaults;                  // of its own struct
  Table keys;  // of that struct; Field::after says where they stand among the shared keys
  // Defaults that shared keys decide, after all are read; null: none.
  void (*finish)(Model&) = nullptr;
  // Of shared and own keys. Runs where model.family is sound; must test Sound() for all else that it reads.
  Check check = nullptr;
};

// Makes the model one of this family: its default activation, and its keys at their defaults.
inline void SetFamily(const Family& family, Model& model) {
  model.family = &family;
  model.activation = family.activations.front();
  model.keys = family.defaults;
}

// What the modules above add to the recipe's own rules.
struct Rules {
  Families families;
  std::vector<Check> checks = {};
};

}  // namespace galley::recipe
