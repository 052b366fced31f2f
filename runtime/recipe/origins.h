// Where every value of a canonical recipe was written.
#pragma once

#include <string>

#include "runtime/recipe/checker.h"
#include "runtime/recipe/node.h"

namespace galley::recipe {

// RecipeText::origins_json of a canonical tree: the places the checker knows.
std::string OriginsJson(const Node& canonical, const Checker& checker);

// The tree with its values standing where `origins_json` says; a default stands where its section does. Names
// are added to `files`. Origins that cannot be read change nothing: they are there for people.
NodePtr WithOrigins(const NodePtr& canonical, const std::string& origins_json, const std::string& root,
                    Files& files);

}  // namespace galley::recipe
