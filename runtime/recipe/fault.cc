#include "runtime/recipe/fault.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace galley::recipe {

std::string FormatFault(const Fault& fault) {
  std::string text = fault.file;
  if (fault.line > 0) absl::StrAppend(&text, ":", fault.line, ":", fault.column);
  absl::StrAppend(&text, fault.severity == Fault::Severity::kError ? ": error: " : ": warning: ");
  // "--set batch.micro: error: batch.micro: ..." would say it twice.
  if (!fault.path.empty() && fault.file != absl::StrCat("--set ", fault.path)) {
    absl::StrAppend(&text, fault.path, ": ");
  }
  return text + fault.message;
}

std::string FormatFaults(const std::vector<Fault>& faults) {
  std::string text;
  for (const Fault& fault : faults) absl::StrAppend(&text, FormatFault(fault), "\n");
  return text;
}

bool HasErrors(const std::vector<Fault>& faults) {
  return std::any_of(faults.begin(), faults.end(),
                     [](const Fault& f) { return f.severity == Fault::Severity::kError; });
}

void SortFaults(std::vector<Fault>& faults) {
  std::stable_sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) {
    return std::tie(a.file_order, a.line, a.column) < std::tie(b.file_order, b.line, b.column);
  });
}

std::vector<Fault> NotBuiltErrors(const std::vector<Fault>& faults) {
  std::vector<Fault> errors;
  for (const Fault& fault : faults) {
    if (!fault.not_built) continue;
    errors.push_back(fault);
    errors.back().severity = Fault::Severity::kError;
  }
  return errors;
}

}  // namespace galley::recipe
