// Where every value of a canonical recipe was written.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/recipe/checker.h"
#include "runtime/recipe/node.h"

namespace galley::recipe {

struct Origin {
  std::string file;  // as the user named it; "--set batch.micro" for a value of the command line
  int line = 0;      // 1-based; 0: it has no line
  int column = 0;
};
std::string ToString(const Origin& origin);  // "file:line:column", or the file alone

struct Origins {
  std::vector<std::string> files;         // that the recipe was read from, in their order
  std::map<std::string, Origin> by_path;  // of values and sections that somebody wrote

  const Origin* Find(const std::string& path) const;
  // Of the value, or of the nearest section around it that somebody wrote; null when there is none.
  const Origin* Nearest(std::string path) const;
};
// RecipeText::origins_json; empty when it cannot be read: origins are there for people.
Origins ParseOrigins(const std::string& origins_json);

// RecipeText::origins_json of a canonical tree: the locations the checker knows.
std::string OriginsJson(const Node& canonical, const Checker& checker);

// The tree with its values standing where `origins` says; a default stands where its section does. Names
// are added to `files`.
NodePtr WithOrigins(const NodePtr& canonical, const Origins& origins, const std::string& root, Files& files);

}  // namespace galley::recipe
