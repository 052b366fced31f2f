// The modules of docs/architecture.md, and the sources of this checkout, for the tests that read them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace galley {

// The level of each module.
const std::map<std::string, int>& Levels();

// Within a module that has parts: their levels, and those of files that stand beside them. What is on one
// level is a sibling. A path that ends in '/' is a folder, another is a file; the longest that fits counts.
const std::map<std::string, int>& PartLevels();

// Folders of programs that only tests run.
const std::set<std::string>& TestFolders();

// Of sources and headers alike.
bool IsTest(const std::string& file);

// The module a path below the source root belongs to; empty for what is no module.
std::string ModuleOf(const std::string& path);

// The part, or the name of the file that stands for itself; empty in a module without parts, and where no
// table lists it.
std::string PartOf(const std::string& path);
bool HasParts(const std::string& module);

// All files of the checkout, in order, but those of builds and of the version control; below the source root.
std::vector<std::string> Files();
// Those of C++ and CUDA that are the product's: in no folder of tests or benches.
std::vector<std::string> Sources();
bool IsSource(const std::string& file);

struct Include {
  std::string file, header;
  int line;
};

// Quoted and angled ones alike.
std::vector<Include> Includes(const std::vector<std::string>& files);

std::string TextOf(const std::string& file);

}  // namespace galley
