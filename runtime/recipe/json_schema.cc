#include <nlohmann/json.hpp>

#include "runtime/recipe/recipe_table.h"
#include "runtime/recipe/schema.h"

namespace galley::recipe {
namespace {

using Json = nlohmann::ordered_json;

// Suffixes, underscores and exponents make many numbers a string to JSON; the patterns follow quantity.h.
constexpr char kNumber[] = "^[+-]?[0-9][0-9_]*(\\.[0-9_]+)?([eE][+-]?[0-9]+|[KMBT])?$";
constexpr char kAmount[] = "^[0-9][0-9_]*(\\.[0-9_]+)?([eE]\\+?[0-9]+|[KMBT])? +(steps?|samples?|tokens?)$";
constexpr char kDuration[] = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";

Json NumberSchema(const FieldDoc& doc, const char* type) {
  Json plain = {{"type", type}};
  if (doc.minimum) plain["minimum"] = *doc.minimum;
  if (doc.maximum) plain["maximum"] = *doc.maximum;
  return {{"anyOf", {plain, {{"type", "string"}, {"pattern", kNumber}}}}};
}

Json LeafSchema(const FieldDoc& doc) {
  if (doc.json_type == "integer" || doc.json_type == "number")
    return NumberSchema(doc, doc.json_type.c_str());
  if (doc.json_type == "boolean") return {{"type", "boolean"}};
  if (doc.json_type == "choice") return {{"enum", doc.choices}};
  if (doc.json_type == "amount") return {{"type", "string"}, {"pattern", kAmount}};
  if (doc.json_type == "duration") return {{"type", "string"}, {"pattern", kDuration}};
  if (doc.json_type == "numbers") return {{"type", "array"}, {"items", {{"type", "number"}}}};
  if (doc.json_type == "labels") {
    return {{"type", "object"}, {"additionalProperties", {{"type", {"string", "number", "boolean"}}}}};
  }
  return {{"type", {"string", "number"}}};
}

// strict: with the keys that must be there. A recipe with a base may leave any out.
Json TableSchema(const Table& table, bool strict) {
  Json properties = Json::object(), required = Json::array();
  for (const auto& field : table.fields()) {
    FieldDoc doc;
    field->Describe(doc);
    Json schema;
    if (field->table() == nullptr) {
      schema = LeafSchema(doc);
    } else if (field->is_list()) {
      // A list replaces the base's, so its entries are whole.
      schema = {{"type", "array"}, {"items", TableSchema(*field->table(), true)}};
      if (field->required) schema["minItems"] = 1;
    } else {
      schema = TableSchema(*field->table(), strict);
    }
    schema["description"] =
        field->applies_text.empty() ? field->doc : field->doc + " Only with " + field->applies_text + ".";
    properties[field->name] = schema;
    // What only some kinds need cannot be required of all.
    if (field->required && field->applies_text.empty()) required.push_back(field->name);
  }
  Json schema = {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (strict && !required.empty()) schema["required"] = required;
  return schema;
}

}  // namespace

std::string JsonSchema(const Families& families) {
  const RecipeTable table(families);
  Json over = TableSchema(*table, false);
  over["properties"]["base"] = {{"type", "string"}, {"description", Explain("base", families)->doc}};
  const Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                       {"title", "Galley recipe"},
                       {"if", {{"required", {"base"}}}},
                       {"then", {{"$ref", "#/$defs/over"}}},
                       {"else", {{"$ref", "#/$defs/whole"}}},
                       {"$defs", {{"whole", TableSchema(*table, true)}, {"over", over}}}};
  return schema.dump(2) + "\n";
}

}  // namespace galley::recipe
