// A recipe's YAML as a tree of our own: every node with its location, duplicates gone, aliases resolved by
// sharing (a million-fold alias costs nothing until somebody walks it, and the schema never does).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace galley::recipe {

struct Location {
  int file = 0;  // index into Files
  int line = 0;  // 1-based; 0: none
  int column = 0;
};

struct FileInfo {
  std::string name;           // as faults name it
  std::string dir;            // absolute; what relative paths in it mean
  bool command_line = false;  // --set: faults have no line
};
using Files = std::vector<FileInfo>;

struct Node;
using NodePtr = std::shared_ptr<const Node>;

struct Entry {
  std::string key;
  Location key_location;
  NodePtr value;
};

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Location location;  // of an empty value: its key's
  std::string text;
  bool quoted = false;  // a quoted scalar is a string, whatever it looks like
  std::vector<Entry> entries;
  std::vector<NodePtr> items;

  const Entry* Find(absl::string_view key) const {
    for (const Entry& e : entries) {
      if (e.key == key) return &e;
    }
    return nullptr;
  }
};

// "a.b" and "a[2]"; a key that could be mistaken for more than a key, or that would not print, is escaped.
std::string ChildPath(absl::string_view parent, absl::string_view key);
std::string ItemPath(absl::string_view parent, size_t index);

const char* KindName(const Node& node);  // "a map", "a list", "a single value", "nothing"

}  // namespace galley::recipe
