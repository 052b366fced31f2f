// YAML text -> Node. The only file that includes yaml-cpp is parse.cc.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "runtime/recipe/fault.h"
#include "runtime/recipe/node.h"

namespace galley::recipe {

inline constexpr size_t kMaxBytes = size_t{1} << 20;
inline constexpr int kMaxDepth = 64;
inline constexpr int kMaxAliases = 100;

// A fault before it knows file names.
struct RawFault {
  Location location;
  std::string path;
  std::string message;
};

struct Parsed {
  NodePtr root;                  // null when `fatal`
  bool fatal = false;            // not readable as YAML, or over a limit: `faults` holds the one reason
  std::vector<RawFault> faults;  // duplicate keys, `<<`, tags
};

// file: the index that locations carry.
Parsed Parse(absl::string_view text, int file);

}  // namespace galley::recipe
