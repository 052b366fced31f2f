// Where faults gather, and what cross-field checks see: the spec as far as it could be read, which of its
// fields are sound, and where each stands. Checks of the modules above are handed to Load and run in the same
// pass, so that one reading gives all faults.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "runtime/recipe/fault.h"
#include "runtime/recipe/node.h"
#include "runtime/recipe/spec.h"

namespace galley::recipe {

class Checker {
 public:
  explicit Checker(Files files) : files_(std::move(files)) {}

  // The draft: fields that are not sound hold their defaults.
  RecipeSpec spec;
  // A base could not be read: what is missing may have stood there, and is no fault.
  bool incomplete = false;

  // True when no fault touches any of these fields, what they hold or what holds them.
  bool Sound(std::initializer_list<absl::string_view> paths) const;

  // What a check across fields finds: at the field's value; a field that only its default gives stands where
  // its section does. The field stays sound: it is wrong only beside others.
  void Error(const std::string& path, const std::string& message);
  void Warn(const std::string& path, const std::string& message);
  void NotBuilt(const std::string& path, const std::string& message);
  // "path: 10 is not divisible by other = 3", when it is not.
  void WantMultiple(const std::string& path, int64_t value, const std::string& other, int64_t divisor);

  // What is wrong with one field by itself, which makes it unsound.
  void ErrorAt(const Location& location, const std::string& path, const std::string& message);
  void MarkUnsound(const std::string& path) { unsound_.push_back(path); }
  void SetLocation(const std::string& path, const Location& location) { locations_[path] = location; }
  const Location* FindLocation(const std::string& path) const;
  Fault At(const Location& location, const std::string& path, const std::string& message) const;
  const Files& files() const { return files_; }
  std::vector<Fault>& faults() { return faults_; }

 private:
  Location LocationOf(absl::string_view path) const;

  Files files_;
  std::map<std::string, Location> locations_;
  std::vector<Fault> faults_;
  std::vector<std::string> unsound_;
};

// A check of a family or of a module above (plan, prepare). It must test Sound() for all it reads.
using Check = void (*)(Checker&);

}  // namespace galley::recipe
