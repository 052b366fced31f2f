#include "runtime/recipe/node.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace galley::recipe {

std::string ChildPath(absl::string_view parent, absl::string_view key) {
  const bool plain = !key.empty() && std::none_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c)) ||
           absl::ascii_isspace(static_cast<unsigned char>(c)) || c == '.' || c == '[' || c == ']' ||
           c == '\'';
  });
  const std::string name = plain ? std::string(key) : absl::StrCat("'", absl::Utf8SafeCEscape(key), "'");
  return parent.empty() ? name : absl::StrCat(parent, ".", name);
}

std::string ItemPath(absl::string_view parent, size_t index) { return absl::StrCat(parent, "[", index, "]"); }

const char* KindName(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "a single value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      break;
  }
  return "a map";
}

}  // namespace galley::recipe
