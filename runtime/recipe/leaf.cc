#include "runtime/recipe/leaf.h"

namespace galley::recipe {
namespace {

bool WantKind(const Node& value, Node::Kind kind, const char* what, const std::string& path,
              Checker& checker) {
  if (value.kind == kind) return true;
  checker.ErrorAt(value.location, path, absl::StrCat("expected ", what, ", got ", KindName(value)));
  return false;
}

}  // namespace

void SectionField::Read(const NodePtr& value, const std::string& path, Checker& checker,
                        void* section) const {
  if (WantKind(*value, Node::Kind::kMap, "a map", path, checker)) {
    ReadSection(table_, value, path, checker, slot_(section));
  }
}

NodePtr SectionField::Write(const void* section, const std::string& root) const {
  const void* child = peek_(section);
  if (child == nullptr) return nullptr;
  NodePtr map = WriteSection(table_, child, root);
  return map->entries.empty() ? nullptr : map;
}

void SectionField::Describe(FieldDoc& out) const { out.type = out.json_type = "map"; }

void ListField::Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const {
  if (!WantKind(*value, Node::Kind::kList, "a list", path, checker)) return;
  access_.clear(section);
  for (size_t i = 0; i < value->items.size(); ++i) {
    const NodePtr& item = value->items[i];
    const std::string at = ItemPath(path, i);
    checker.SetLocation(at, item->location);
    // Faults name elements by index, so a broken one still counts.
    void* child = access_.append(section);
    if (WantKind(*item, Node::Kind::kMap, "a map", at, checker))
      ReadSection(table_, item, at, checker, child);
  }
  if (required && value->items.empty())
    checker.ErrorAt(value->location, path, "must have at least one entry");
}

NodePtr ListField::Write(const void* section, const std::string& root) const {
  std::vector<NodePtr> items;
  for (size_t i = 0; i < access_.size(section); ++i) {
    items.push_back(WriteSection(table_, access_.at(section, i), root));
  }
  return ListNode(std::move(items));
}

void ListField::Describe(FieldDoc& out) const {
  out.type = "list of maps";
  out.json_type = "list";
}

}  // namespace galley::recipe
