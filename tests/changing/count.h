// What a change costs, counted from the code: which lines an example that is there already has of its own in
// files that are not, each entry of a table, function and declaration from its first line to its last.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace galley {

// Lines of one file: what begins at a match of `pattern`, a regular expression, whole.
struct Lines {
  std::string path;
  std::string pattern;
};

struct Example {
  std::string change;            // "a model family"
  std::string name;              // "llama"
  std::string names;             // regular expression of what names it; comments do not count
  std::vector<std::string> own;  // beginnings of the paths of files that are all its own
  std::vector<Lines> touched = {};
  // Lines, or with an empty pattern files, that name it and that a new one does not need: what it is for, and
  // what names something else.
  std::vector<Lines> uses = {};
};

struct Cost {
  int own_files = 0;
  std::map<std::string, int> lines;  // by path, of files that are not its own
  std::vector<std::string> faults;   // what names it and is not listed; what is listed and not there
  int total() const;
};

// Of the product's sources, its protos and its CMakeLists.txt: no tests, no benches.
Cost Count(const std::string& root, const Example& example);

// Of a source, proto or (`cmake`) CMakeLists.txt.
int CountLines(const std::string& text, bool cmake, const std::string& pattern);

// Lines of `copy` that `original` lacks, where the rest is the same in the same order; -1 where it is not.
int AddedLines(const std::string& original, const std::string& copy);

}  // namespace galley
