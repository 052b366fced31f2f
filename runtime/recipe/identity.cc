#include "runtime/recipe/identity.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "runtime/base/hash.h"
#include "runtime/recipe/emit.h"
#include "runtime/recipe/recipe_table.h"

namespace galley::recipe {
namespace {

struct Value {
  std::string path;
  std::string text;
  Resume rule = Resume::kFree;
};

// The canonical values of a section, one line each, in the order of its table.
void Flatten(const Table& table, const Node& map, const std::string& path, std::vector<Value>& out) {
  for (const Entry& entry : map.entries) {
    const Field& field = *table.Find(entry.key);
    const std::string at = ChildPath(path, entry.key);
    if (field.table() == nullptr) {
      out.push_back({at, EmitInline(*entry.value), field.resume});
    } else if (!field.is_list()) {
      Flatten(*field.table(), *entry.value, at, out);
    } else {
      for (size_t i = 0; i < entry.value->items.size(); ++i) {
        Flatten(*field.table(), *entry.value->items[i], ItemPath(at, i), out);
      }
    }
  }
}

std::vector<Value> Values(const RecipeSpec& spec) {
  std::vector<Value> values;
  const RecipeTable table(spec);
  Flatten(*table, *WriteSection(*table, &spec, ""), "", values);
  return values;
}

}  // namespace

std::string IdentityHash(const RecipeSpec& spec) {
  std::string text;
  for (const Value& value : Values(spec)) {
    if (value.rule == Resume::kFixed) absl::StrAppend(&text, value.path, "=", value.text, "\n");
  }
  return Hex(Hash64(text));
}

std::vector<Change> Compare(const RecipeSpec& before, const RecipeSpec& after) {
  std::map<std::string, std::string> old, now;
  for (const Value& value : Values(after)) now[value.path] = value.text;
  std::vector<Change> changes;
  for (const Value& value : Values(before)) {
    old[value.path] = value.text;
    const auto found = now.find(value.path);
    const std::string after_text = found == now.end() ? "" : found->second;
    if (after_text != value.text) changes.push_back({value.path, value.text, after_text, value.rule});
  }
  for (const Value& value : Values(after)) {
    if (old.count(value.path) == 0) changes.push_back({value.path, "", value.text, value.rule});
  }
  return changes;
}

}  // namespace galley::recipe
