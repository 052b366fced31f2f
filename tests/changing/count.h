// What a change costs, counted from the code: which files name an example that is there
// already, and on how many lines.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace galley {

struct Example {
  std::string change;             // "a model family"
  std::string name;               // "llama"
  std::string pattern;            // regular expression of the lines that name it; comments do not count
  std::vector<std::string> own;   // beginnings of the paths of files that are all its own
  std::vector<std::string> uses;  // of files that use it, as any change's purpose: named, and not counted
};

struct Cost {
  int own_files = 0;
  std::map<std::string, int> lines;  // by path, of files that are not its own
  int total() const;
};

// Of the product's sources, its protos and its CMakeLists.txt: no tests, no benches.
Cost Count(const std::string& root, const Example& example);

// Lines of `copy` that `original` lacks, where the rest is the same in the same order; -1 where it is not.
int AddedLines(const std::string& original, const std::string& copy);

}  // namespace galley
