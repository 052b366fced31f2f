#include "runtime/recipe/overlay.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace galley::recipe {
namespace {

constexpr size_t kMostParts = 64;  // Put recurses once a part

// Copies the nodes on the way to what changes and shares all others: aliases and bases may share them too.
absl::StatusOr<NodePtr> Put(const NodePtr& node, const std::vector<std::string>& parts, size_t at,
                            const NodePtr& value, const std::string& path) {
  if (at == parts.size()) return value;
  if (node != nullptr && node->kind == Node::Kind::kList) {
    size_t index = 0;
    if (!absl::SimpleAtoi(parts[at], &index) || index >= node->items.size()) {
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' has ", node->items.size(),
                                                     node->items.size() == 1 ? " entry" : " entries",
                                                     ", counted from 0; there is no '", parts[at], "'"));
    }
    auto copy = std::make_shared<Node>(*node);
    absl::StatusOr<NodePtr> child = Put(node->items[index], parts, at + 1, value, ItemPath(path, index));
    if (!child.ok()) return child;
    copy->items[index] = *child;
    return NodePtr(copy);
  }
  if (node != nullptr && node->kind == Node::Kind::kScalar) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is a single value, not a map"));
  }
  auto copy = node != nullptr && node->kind == Node::Kind::kMap ? std::make_shared<Node>(*node)
                                                                : std::make_shared<Node>();
  if (copy->kind != Node::Kind::kMap) {
    copy->kind = Node::Kind::kMap;
    copy->location = value->location;
  }
  Entry* entry = nullptr;
  for (Entry& e : copy->entries) {
    if (e.key == parts[at]) entry = &e;
  }
  if (entry == nullptr) {
    copy->entries.push_back({parts[at], value->location, nullptr});
    entry = &copy->entries.back();
  }
  absl::StatusOr<NodePtr> child = Put(entry->value, parts, at + 1, value, ChildPath(path, parts[at]));
  if (!child.ok()) return child;
  entry->value = *child;
  // A map keeps its own location when only something in it is set.
  if (at + 1 == parts.size()) entry->key_location = value->location;
  return NodePtr(copy);
}

}  // namespace

NodePtr Merge(const NodePtr& under, const NodePtr& over) {
  if (under->kind != Node::Kind::kMap || over->kind != Node::Kind::kMap) return over;
  auto merged = std::make_shared<Node>(*over);
  merged->entries = under->entries;
  for (const Entry& entry : over->entries) {
    Entry* old = nullptr;
    for (Entry& e : merged->entries) {
      if (e.key == entry.key) old = &e;
    }
    if (old == nullptr) {
      merged->entries.push_back(entry);
    } else {
      *old = {entry.key, entry.key_location, Merge(old->value, entry.value)};
    }
  }
  return merged;
}

absl::StatusOr<std::vector<std::string>> SplitPath(const std::string& path) {
  std::vector<std::string> parts;
  std::string part;
  bool closed = false;  // just after a ']'
  for (size_t i = 0; i <= path.size(); ++i) {
    const char c = i < path.size() ? path[i] : '.';
    if (c != '.' && c != '[') {
      if (closed || c == ']') return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a path"));
      part += c;
      continue;
    }
    if (part.empty() && !closed)
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a path"));
    if (!part.empty()) parts.push_back(part);
    part.clear();
    closed = false;
    if (c == '[') {
      const size_t end = path.find(']', i);
      if (end == std::string::npos)
        return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not a path"));
      parts.push_back(path.substr(i + 1, end - i - 1));
      i = end;
      closed = true;
    }
  }
  if (parts.size() > kMostParts) return absl::InvalidArgumentError("the path is too deep");
  return parts;
}

absl::StatusOr<NodePtr> SetAt(const NodePtr& root, const std::vector<std::string>& parts,
                              const NodePtr& value) {
  return Put(root, parts, 0, value, "");
}

}  // namespace galley::recipe
