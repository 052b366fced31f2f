#include "runtime/recipe/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/recipe/suggest.h"

namespace galley::recipe {

void Table::AddAfter(absl::string_view after, std::unique_ptr<Field> field) {
  auto at = fields_.end();
  if (!after.empty()) {
    at = std::find_if(fields_.begin(), fields_.end(), [&](const auto& f) { return f->name == after; });
    CHECK(at != fields_.end()) << field->name << " follows " << after << ", which is no field";
    ++at;
  }
  fields_.insert(at, std::move(field));
}

const Field* Table::Find(absl::string_view name) const {
  for (const auto& field : fields_) {
    if (field->name == name) return field.get();
  }
  return nullptr;
}

Field* Table::Find(absl::string_view name) { return const_cast<Field*>(std::as_const(*this).Find(name)); }

bool Table::IsDiscriminant(absl::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const auto& f) { return f->discriminant == name; });
}

std::vector<std::string> Table::Names() const {
  std::vector<std::string> names;
  for (const auto& field : fields_) names.push_back(field->name);
  return names;
}

namespace {

// What the text named: fields, and by their nearest spelling those that unknown keys may have meant.
struct Named {
  std::set<std::string> present, meant;
};

// Discriminants are read before what hangs on them, whatever their order in the text.
Named ReadEntries(const Table& table, const NodePtr& map, const std::string& path, Checker& checker,
                  void* section) {
  std::vector<const Entry*> entries;
  for (const Entry& entry : map->entries) entries.push_back(&entry);
  std::stable_partition(entries.begin(), entries.end(),
                        [&](const Entry* entry) { return table.IsDiscriminant(entry->key); });
  Named named;
  for (const Entry* entry : entries) {
    const std::string child = ChildPath(path, entry->key);
    const Field* field = table.Find(entry->key);
    if (field == nullptr) {
      checker.ErrorAt(entry->key_location, child,
                      absl::StrCat("unknown key", DidYouMean(entry->key, table.Names())));
      named.meant.insert(Nearest(entry->key, table.Names()));
      continue;
    }
    named.present.insert(field->name);
    checker.SetLocation(
        child, entry->value->kind == Node::Kind::kMap ? entry->key_location : entry->value->location);
    field->Read(entry->value, child, checker, section);
  }
  return named;
}

}  // namespace

void ReadSection(const Table& table, const NodePtr& map, const std::string& path, Checker& checker,
                 void* section) {
  const auto [present, meant] = ReadEntries(table, map, path, checker, section);
  const Location* own = checker.FindLocation(path);
  for (const auto& field : table.fields()) {
    const std::string child = ChildPath(path, field->name);
    const bool here = present.count(field->name) > 0;
    if (!field->discriminant.empty() && !checker.Sound({ChildPath(path, field->discriminant)})) continue;
    if (here && !field->Applies(section)) {
      const Entry* entry = map->Find(field->name);
      checker.ErrorAt(entry->value->location, child,
                      absl::StrCat("does not apply here; only with ", field->applies_text));
    }
    // A misspelt required key is one fault, not two.
    if (!here && field->required && field->Applies(section)) {
      if (checker.incomplete || meant.count(field->name) > 0) {
        checker.MarkUnsound(child);
      } else {
        checker.ErrorAt(own != nullptr ? *own : map->location, child, "missing");
      }
    }
  }
  if (table.finish) table.finish(section, present);
}

NodePtr WriteSection(const Table& table, const void* section, const std::string& root) {
  auto map = std::make_shared<Node>();
  map->kind = Node::Kind::kMap;
  for (const auto& field : table.fields()) {
    if (!field->Applies(section)) continue;
    if (NodePtr value = field->Write(section, root)) map->entries.push_back({field->name, {}, value});
  }
  return map;
}

NodePtr ScalarNode(std::string text) {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::kScalar;
  node->text = std::move(text);
  return node;
}

NodePtr StringNode(std::string text) {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::kScalar;
  node->text = std::move(text);
  node->quoted = true;
  return node;
}

NodePtr ListNode(std::vector<NodePtr> items) {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::kList;
  node->items = std::move(items);
  return node;
}

}  // namespace galley::recipe
