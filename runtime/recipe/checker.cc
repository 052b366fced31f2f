#include "runtime/recipe/checker.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace galley::recipe {
namespace {

// True when `path` is `root` or lies below it.
bool Within(absl::string_view path, absl::string_view root) {
  if (root.empty()) return true;
  if (!absl::StartsWith(path, root)) return false;
  return path.size() == root.size() || path[root.size()] == '.' || path[root.size()] == '[';
}

}  // namespace

bool Checker::Sound(std::initializer_list<absl::string_view> paths) const {
  return std::none_of(unsound_.begin(), unsound_.end(), [&](const std::string& bad) {
    return std::any_of(paths.begin(), paths.end(),
                       [&](absl::string_view path) { return Within(bad, path) || Within(path, bad); });
  });
}

const Location* Checker::FindLocation(const std::string& path) const {
  const auto found = locations_.find(path);
  return found == locations_.end() ? nullptr : &found->second;
}

Location Checker::LocationOf(absl::string_view path) const {
  while (true) {
    if (const Location* location = FindLocation(std::string(path))) return *location;
    const size_t cut = path.find_last_of(".[");
    if (cut == absl::string_view::npos) return {0, 1, 1};
    path = path.substr(0, cut);
  }
}

Fault Checker::At(const Location& location, const std::string& path, const std::string& message) const {
  Fault fault;
  const FileInfo& file = files_[static_cast<size_t>(location.file)];
  fault.file = file.name;
  fault.file_order = location.file;
  fault.line = file.command_line ? 0 : location.line;
  fault.column = file.command_line ? 0 : location.column;
  fault.path = path;
  fault.message = message;
  return fault;
}

void Checker::ErrorAt(const Location& location, const std::string& path, const std::string& message) {
  unsound_.push_back(path);
  faults_.push_back(At(location, path, message));
}

void Checker::Error(const std::string& path, const std::string& message) {
  faults_.push_back(At(LocationOf(path), path, message));
}

void Checker::Warn(const std::string& path, const std::string& message) {
  Fault fault = At(LocationOf(path), path, message);
  fault.severity = Fault::Severity::kWarning;
  faults_.push_back(std::move(fault));
}

void Checker::NotBuilt(const std::string& path, const std::string& message) {
  Fault fault = At(LocationOf(path), path, message + " is not built in this version");
  fault.severity = Fault::Severity::kWarning;
  fault.not_built = true;
  faults_.push_back(std::move(fault));
}

void Checker::WantMultiple(const std::string& path, int64_t value, const std::string& other,
                           int64_t divisor) {
  if (value % divisor != 0) {
    Error(path, absl::StrCat(value, " is not divisible by ", other, " = ", divisor));
  }
}

}  // namespace galley::recipe
