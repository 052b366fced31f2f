#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "runtime/recipe/schema.h"

namespace galley::recipe {
namespace {

std::string Meaning(const FieldDoc& doc) {
  std::string text = doc.doc;
  if (!doc.unit.empty()) absl::StrAppend(&text, " In ", doc.unit, ".");
  if (!doc.bounds.empty()) absl::StrAppend(&text, " Must be ", doc.bounds, ".");
  if (!doc.applies.empty()) absl::StrAppend(&text, " Only with `", doc.applies, "`.");
  return absl::StrReplaceAll(text, {{"|", "\\|"}});
}

std::string DefaultOf(const FieldDoc& doc) {
  if (doc.required) return "required";
  return doc.default_text.empty() ? "" : absl::StrCat("`", doc.default_text, "`");
}

}  // namespace

std::string MarkdownReference(const Families& families) {
  std::string out;
  std::string section;
  for (const FieldDoc& doc : AllFields(families)) {
    if (doc.path.empty()) continue;
    const bool top = !absl::StrContains(doc.path, '.');
    if (top && !doc.children.empty()) {
      section = doc.path;
      absl::StrAppend(&out, "\n### ", doc.path, "\n\n", Meaning(doc), doc.required ? " Required." : "",
                      "\n\n| key | type | default | resume | meaning |\n|---|---|---|---|---|\n");
    } else if (top) {
      if (section.empty())
        absl::StrAppend(&out, "| key | type | default | resume | meaning |\n|---|---|---|---|---|\n");
      section = "top";
      absl::StrAppend(&out, "| `", doc.path, "` | ", doc.type, " | ", DefaultOf(doc), " | ", doc.resume,
                      " | ", Meaning(doc), " |\n");
    } else {
      absl::StrAppend(&out, "| `", doc.path, "` | ", doc.type, " | ", DefaultOf(doc), " | ", doc.resume,
                      " | ", Meaning(doc), " |\n");
    }
  }
  return out;
}

}  // namespace galley::recipe
