#include "runtime/recipe/origins.h"

#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/recipe/emit.h"
#include "runtime/recipe/load.h"
#include "runtime/recipe/parse.h"

namespace galley::recipe {
namespace {

using Json = nlohmann::ordered_json;

// Every path of the tree, maps and lists too.
template <class F>
void Walk(const Node& node, const std::string& path, const F& visit) {
  if (!path.empty()) visit(path, node);
  for (const Entry& e : node.entries) Walk(*e.value, ChildPath(path, e.key), visit);
  for (size_t i = 0; i < node.items.size(); ++i) Walk(*node.items[i], ItemPath(path, i), visit);
}

std::map<std::string, std::string> PlacesOf(const std::string& origins_json,
                                            std::vector<std::string>* files) {
  std::map<std::string, std::string> places;
  const Json json = Json::parse(origins_json, nullptr, false);
  if (!json.is_object()) return places;
  const Json names = json.value("files", Json::array());
  const Json entries = json.value("places", Json::object());
  if (names.is_array() && files != nullptr) {
    for (const Json& name : names) {
      if (name.is_string()) files->push_back(name.get<std::string>());
    }
  }
  if (!entries.is_object()) return places;
  for (const auto& [path, place] : entries.items()) {
    if (place.is_string()) places[path] = place.get<std::string>();
  }
  return places;
}

class Placer {
 public:
  Placer(std::map<std::string, std::string> places, const std::vector<std::string>& names,
         const std::string& root, Files& files)
      : places_(std::move(places)), root_(root), files_(files) {
    for (const std::string& name : names) FileOf(name);
  }

  NodePtr Run(const Node& node, const std::string& path, Place above) {
    auto copy = std::make_shared<Node>(node);
    if (const auto found = places_.find(path); found != places_.end()) above = PlaceOf(found->second);
    copy->place = above;
    for (Entry& e : copy->entries) {
      e.value = Run(*e.value, ChildPath(path, e.key), above);
      e.key_place = e.value->place;
    }
    for (size_t i = 0; i < copy->items.size(); ++i)
      copy->items[i] = Run(*copy->items[i], ItemPath(path, i), above);
    return copy;
  }

 private:
  int FileOf(const std::string& name) {
    for (size_t i = 1; i < files_.size(); ++i) {
      if (files_[i].name == name) return static_cast<int>(i);
    }
    files_.push_back({name, root_, absl::StartsWith(name, "--set ")});
    return static_cast<int>(files_.size()) - 1;
  }

  // "file:line:column"; a name may hold colons itself.
  Place PlaceOf(const std::string& text) {
    const size_t column = text.rfind(':');
    const size_t line =
        column == std::string::npos || column == 0 ? std::string::npos : text.rfind(':', column - 1);
    Place place;
    if (line == std::string::npos || !absl::SimpleAtoi(text.substr(column + 1), &place.column) ||
        !absl::SimpleAtoi(text.substr(line + 1, column - line - 1), &place.line)) {
      return {FileOf(text), 0, 0};
    }
    place.file = FileOf(text.substr(0, line));
    return place;
  }

  const std::map<std::string, std::string> places_;
  const std::string root_;
  Files& files_;
};

Json ToJson(const Node& node, const std::string& path, const std::map<std::string, std::string>* origins) {
  if (node.kind == Node::Kind::kMap) {
    Json map = Json::object();
    for (const Entry& e : node.entries) map[e.key] = ToJson(*e.value, ChildPath(path, e.key), origins);
    return map;
  }
  if (node.kind == Node::Kind::kList) {
    Json list = Json::array();
    for (size_t i = 0; i < node.items.size(); ++i) {
      list.push_back(ToJson(*node.items[i], ItemPath(path, i), origins));
    }
    return list;
  }
  // Canonical numbers and truth values are JSON as they stand; the rest is text.
  Json value = node.quoted ? Json(node.text) : Json::parse(node.text, nullptr, false);
  if (value.is_discarded()) value = node.text;
  if (origins == nullptr) return value;
  const auto found = origins->find(path);
  return {{"value", value}, {"origin", found == origins->end() ? "default" : found->second}};
}

}  // namespace

std::string OriginsJson(const Node& canonical, const Checker& checker) {
  Json files = Json::array(), places = Json::object();
  for (const FileInfo& file : checker.files()) files.push_back(file.name);
  Walk(canonical, "", [&](const std::string& path, const Node&) {
    const Place* place = checker.FindPlace(path);
    if (place == nullptr) return;
    const FileInfo& file = checker.files()[static_cast<size_t>(place->file)];
    places[path] =
        file.command_line ? file.name : absl::StrCat(file.name, ":", place->line, ":", place->column);
  });
  return Json{{"files", files}, {"places", places}}.dump();
}

NodePtr WithOrigins(const NodePtr& canonical, const std::string& origins_json, const std::string& root,
                    Files& files) {
  std::vector<std::string> names;
  std::map<std::string, std::string> places = PlacesOf(origins_json, &names);
  if (places.empty()) return canonical;
  Placer placer(std::move(places), names, root, files);
  const Place above = files.size() > 1 ? Place{1, 1, 1} : Place{0, 1, 1};
  return placer.Run(*canonical, "", above);
}

std::string RenderOrigins(const RecipeText& text) {
  const std::map<std::string, std::string> places = PlacesOf(text.origins_json, nullptr);
  return EmitYaml(*Parse(text.canonical, 0).root, [&](const std::string& path) {
    const auto found = places.find(path);
    return found == places.end() ? std::string("default") : found->second;
  });
}

std::string RenderJson(const RecipeText& text, bool origins) {
  const std::map<std::string, std::string> places = PlacesOf(text.origins_json, nullptr);
  return ToJson(*Parse(text.canonical, 0).root, "", origins ? &places : nullptr).dump(2) + "\n";
}

}  // namespace galley::recipe
