// What is wrong with a recipe, and where. Formats and order: docs/recipe.md, "Faults".
#pragma once

#include <string>
#include <vector>

namespace galley::recipe {

struct Fault {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string file;  // as the user named it; "--set batch.micro" for a value of the command line
  int line = 0;      // 1-based; 0: the fault has no line (--set, an unreadable file)
  int column = 0;    // 1-based, in characters
  std::string path;  // "batch.micro", "data.train[0].path"; empty: the file as a whole
  std::string message;
  bool not_built = false;  // valid, but this version cannot run it: a warning until somebody submits it
  int file_order = 0;      // sorts files: the recipe, then its bases, then --set in their order
};

// "recipe.yaml:12:9: error: model.hiden: unknown key; did you mean 'hidden'?", without a newline.
std::string FormatFault(const Fault& fault);
std::string FormatFaults(const std::vector<Fault>& faults);  // one line each, every line ended

bool HasErrors(const std::vector<Fault>& faults);
void SortFaults(std::vector<Fault>& faults);  // by file, line and column

// The `not built in this version` warnings among `faults`, as errors: what submit and train refuse with
// exit 6. Empty when this version can run the recipe.
std::vector<Fault> NotBuiltErrors(const std::vector<Fault>& faults);

}  // namespace galley::recipe
