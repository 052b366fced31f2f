// trainctl explain: what a key of the recipe means.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/models/families.h"
#include "runtime/recipe/schema.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

using recipe::FieldDoc;

nlohmann::ordered_json ToJson(const FieldDoc& doc) {
  return {{"path", doc.path},
          {"type", doc.type},
          {"description", doc.doc},
          {"unit", doc.unit},
          {"bounds", doc.bounds},
          {"choices", doc.choices},
          {"default", doc.default_text},
          {"required", doc.required},
          {"applies", doc.applies},
          {"resume", doc.resume},
          {"children", doc.children}};
}

void Line(std::string& out, const char* label, const std::string& text) {
  if (!text.empty())
    absl::StrAppend(&out, "  ", label, std::string(10 - std::string(label).size(), ' '), text, "\n");
}

std::string ResumeText(const FieldDoc& doc) {
  if (doc.resume == "fixed") return "fixed: may not change";
  if (doc.resume == "warn") return "may change, with a warning";
  return doc.resume.empty() ? "" : "may change";
}

std::string ToText(const FieldDoc& doc) {
  std::string out = absl::StrCat(doc.path.empty() ? "recipe" : doc.path, ": ", doc.doc, "\n");
  Line(out, "type", doc.type);
  Line(out, "unit", doc.unit);
  Line(out, "bounds", doc.bounds);
  Line(out, "default", doc.required ? "none: required" : doc.default_text);
  Line(out, "only with", doc.applies);
  Line(out, "on resume", ResumeText(doc));
  for (size_t i = 0; i < doc.children.size(); ++i) {
    const auto child = recipe::Explain(doc.children[i], models::RecipeFamilies());
    Line(out, i == 0 ? "keys" : "", absl::StrCat(doc.children[i], ": ", child.ok() ? child->doc : ""));
  }
  return out;
}

int Run(const std::string& path, const Globals& globals) {
  if (const int code = WantOutput(globals, {"table", "wide", "json", "jsonl"}); code != kOk) return code;
  const auto doc = recipe::Explain(path, models::RecipeFamilies());
  if (!doc.ok()) return Fail(doc.status());
  if (IsJson(globals)) {
    puts(ToJson(*doc).dump(globals.output == "json" ? 2 : -1).c_str());
  } else {
    fputs(ToText(*doc).c_str(), stdout);
  }
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto path = std::make_shared<std::string>();
  app.add_option("KEY", *path, "Path of a key, as in data.train.path; without it, the sections");
  return [path, &globals] { return Run(*path, globals); };
}

}  // namespace

constinit const Verb kExplainVerb = {"explain", "Say what a key of the recipe means", Declare};

}  // namespace galley::trainctl
