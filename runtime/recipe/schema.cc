#include "runtime/recipe/schema.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "runtime/recipe/overlay.h"
#include "runtime/recipe/recipe_table.h"
#include "runtime/recipe/suggest.h"
#include "runtime/recipe/table.h"

namespace galley::recipe {
namespace {

const char* RuleName(Resume rule) {
  switch (rule) {
    case Resume::kFixed:
      return "fixed";
    case Resume::kWarn:
      return "warn";
    case Resume::kFree:
      break;
  }
  return "free";
}

FieldDoc DocOf(const Field& field, const std::string& path) {
  FieldDoc doc;
  doc.path = path;
  doc.doc = field.doc;
  doc.unit = field.unit;
  doc.default_text = field.default_text;
  doc.required = field.required;
  doc.applies = field.applies_text;
  field.Describe(doc);
  if (doc.type == "choice")
    doc.type = absl::StrCat(doc.choices.size() > 1 ? "one of " : "", absl::StrJoin(doc.choices, ", "));
  if (field.table() == nullptr) doc.resume = RuleName(field.resume);
  return doc;
}

void Collect(const Table& table, const std::string& path, std::vector<FieldDoc>& out) {
  for (const auto& field : table.fields()) {
    const std::string at = absl::StrCat(path.empty() ? "" : path + ".", field->name);
    const size_t index = out.size();
    out.push_back(DocOf(*field, at));
    if (field->table() == nullptr) continue;
    const std::string below = field->is_list() ? at + "[]" : at;
    for (const std::string& name : field->table()->Names()) {
      out[index].children.push_back(absl::StrCat(below, ".", name));
    }
    Collect(*field->table(), below, out);
  }
}

}  // namespace

std::vector<FieldDoc> AllFields(const Families& families) {
  const RecipeTable table(families);
  FieldDoc recipe;
  recipe.type = recipe.json_type = "map";
  recipe.doc = "A run: model, data, schedule and where it runs.";
  recipe.children = table->Names();
  recipe.required = true;
  // Not a field of the spec: resolved before the tables see the tree.
  FieldDoc base;
  base.path = "base";
  base.type = "path";
  base.json_type = "string";
  base.doc = "Another recipe that this one is merged over: maps merge, everything else replaces.";
  base.default_text = "none";
  recipe.children.push_back(base.path);
  std::vector<FieldDoc> all = {recipe, base};
  Collect(*table, "", all);
  return all;
}

namespace {

// Without indices: "data.train[0].path" and "data.train.0.path" become "data.train.path".
std::string Bare(const std::string& path) {
  const auto parts = SplitPath(absl::StrReplaceAll(path, {{"[]", ""}}));
  if (!parts.ok()) return path;
  std::vector<std::string> names;
  for (const std::string& part : *parts) {
    if (part.find_first_not_of("0123456789") != std::string::npos) names.push_back(part);
  }
  return absl::StrJoin(names, ".");
}

}  // namespace

absl::StatusOr<FieldDoc> Explain(const std::string& path, const Families& families) {
  const std::string bare = path.empty() ? "" : Bare(path);
  std::vector<std::string> paths;
  for (const FieldDoc& doc : AllFields(families)) {
    paths.push_back(absl::StrReplaceAll(doc.path, {{"[]", ""}}));
    if (paths.back() == bare) return doc;
  }
  return absl::NotFoundError(absl::StrCat("'", path, "': no such key", DidYouMean(bare, paths)));
}

}  // namespace galley::recipe
