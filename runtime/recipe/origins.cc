#include "runtime/recipe/origins.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/json.h"
#include "runtime/recipe/emit.h"
#include "runtime/recipe/load.h"
#include "runtime/recipe/parse.h"

namespace galley::recipe {
namespace {

using Written = nlohmann::ordered_json;

// Every path of the tree, maps and lists too.
template <class F>
void Walk(const Node& node, const std::string& path, const F& visit) {
  if (!path.empty()) visit(path, node);
  for (const Entry& e : node.entries) Walk(*e.value, ChildPath(path, e.key), visit);
  for (size_t i = 0; i < node.items.size(); ++i) Walk(*node.items[i], ItemPath(path, i), visit);
}

// "file:line:column"; a name may hold colons itself.
Origin ParseOrigin(const std::string& text) {
  const size_t column = text.rfind(':');
  const size_t line =
      column == std::string::npos || column == 0 ? std::string::npos : text.rfind(':', column - 1);
  Origin origin;
  if (line == std::string::npos || !absl::SimpleAtoi(text.substr(column + 1), &origin.column) ||
      !absl::SimpleAtoi(text.substr(line + 1, column - line - 1), &origin.line)) {
    return {text, 0, 0};
  }
  origin.file = text.substr(0, line);
  return origin;
}

class OriginSetter {
 public:
  OriginSetter(const Origins& origins, const std::string& root, Files& files)
      : origins_(origins), root_(root), files_(files) {
    for (size_t i = 1; i < files_.size(); ++i) indices_.emplace(files_[i].name, i);
    for (const std::string& name : origins.files) FileOf(name);
  }

  NodePtr Run(const Node& node, const std::string& path, Location above) {
    auto copy = std::make_shared<Node>(node);
    if (const Origin* origin = origins_.Find(path))
      above = {FileOf(origin->file), origin->line, origin->column};
    copy->location = above;
    for (Entry& e : copy->entries) {
      e.value = Run(*e.value, ChildPath(path, e.key), above);
      e.key_location = e.value->location;
    }
    for (size_t i = 0; i < copy->items.size(); ++i)
      copy->items[i] = Run(*copy->items[i], ItemPath(path, i), above);
    return copy;
  }

 private:
  int FileOf(const std::string& name) {
    const auto [known, added] = indices_.emplace(name, files_.size());
    if (added) files_.push_back({name, root_, absl::StartsWith(name, "--set ")});
    return static_cast<int>(known->second);
  }

  const Origins& origins_;
  const std::string root_;
  Files& files_;
  std::unordered_map<std::string, size_t> indices_;  // by name: a client may send many
};

std::string OriginText(const Origins& origins, const std::string& path) {
  const Origin* origin = origins.Find(path);
  return origin == nullptr ? "default" : ToString(*origin);
}

Written ToJson(const Node& node, const std::string& path, const Origins* origins) {
  if (node.kind == Node::Kind::kMap) {
    Written map = Written::object();
    for (const Entry& e : node.entries) map[e.key] = ToJson(*e.value, ChildPath(path, e.key), origins);
    return map;
  }
  if (node.kind == Node::Kind::kList) {
    Written list = Written::array();
    for (size_t i = 0; i < node.items.size(); ++i) {
      list.push_back(ToJson(*node.items[i], ItemPath(path, i), origins));
    }
    return list;
  }
  // Canonical numbers and truth values are JSON as they stand; the rest is text.
  Written value = node.quoted ? Written(node.text) : Written::parse(node.text, nullptr, false);
  if (value.is_discarded()) value = node.text;
  if (origins == nullptr) return value;
  return {{"value", value}, {"origin", OriginText(*origins, path)}};
}

}  // namespace

std::string OriginsJson(const Node& canonical, const Checker& checker) {
  Written files = Written::array(), locations = Written::object();
  for (const FileInfo& file : checker.files()) files.push_back(file.name);
  Walk(canonical, "", [&](const std::string& path, const Node&) {
    const Location* location = checker.FindLocation(path);
    if (location == nullptr) return;
    const FileInfo& file = checker.files()[static_cast<size_t>(location->file)];
    locations[path] =
        ToString(file.command_line ? Origin{file.name} : Origin{file.name, location->line, location->column});
  });
  return Written{{"files", files}, {"places", locations}}.dump();
}

std::string ToString(const Origin& origin) {
  return origin.line == 0 ? origin.file : absl::StrCat(origin.file, ":", origin.line, ":", origin.column);
}

const Origin* Origins::Find(const std::string& path) const {
  const auto found = by_path.find(path);
  return found == by_path.end() ? nullptr : &found->second;
}

const Origin* Origins::Nearest(std::string path) const {
  while (!path.empty()) {
    if (const Origin* origin = Find(path)) return origin;
    const size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
  return nullptr;
}

Origins ParseOrigins(const std::string& origins_json) {
  Origins origins;
  // A path or a file for each value of a canonical text, which takes two bytes at least.
  const absl::StatusOr<Json> json = ParseJson(origins_json, {.values = kMaxBytes / 2});
  if (!json.ok()) return origins;
  if (const Json* const names = json->Find("files")) {
    for (const Json& name : names->items) {
      if (name.is_string()) origins.files.push_back(name.text);
    }
  }
  if (const Json* const locations = json->Find("places")) {
    for (const auto& [path, location] : locations->members) {
      if (location.is_string()) origins.by_path[path] = ParseOrigin(location.text);
    }
  }
  return origins;
}

NodePtr WithOrigins(const NodePtr& canonical, const Origins& origins, const std::string& root, Files& files) {
  if (origins.by_path.empty()) return canonical;
  OriginSetter setter(origins, root, files);
  const Location above = files.size() > 1 ? Location{1, 1, 1} : Location{0, 1, 1};
  return setter.Run(*canonical, "", above);
}

std::string RenderOrigins(const RecipeText& text) {
  const Origins origins = ParseOrigins(text.origins_json);
  return EmitYaml(*Parse(text.canonical, 0).root,
                  [&](const std::string& path) { return OriginText(origins, path); });
}

std::string RenderJson(const RecipeText& text, bool with_origins) {
  const Origins origins = ParseOrigins(text.origins_json);
  return ToJson(*Parse(text.canonical, 0).root, "", with_origins ? &origins : nullptr).dump(2) + "\n";
}

}  // namespace galley::recipe
