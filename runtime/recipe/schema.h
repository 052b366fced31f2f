// The recipe's field tables, as data for people, editors and docs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/recipe/identity.h"
#include "runtime/recipe/spec.h"

namespace galley::recipe {

struct FieldDoc {
  std::string path;  // "data.train[].path"; empty: the whole recipe
  std::string type;  // "whole number", "amount", "map", "list of maps", "one of: gpt2, llama" ...
  std::string doc;
  std::string unit;          // "" when it has none
  std::string bounds;        // "at least 1"; "" when free
  std::string default_text;  // what an absent key means; "" when required
  bool required = false;
  std::string applies;  // "only with family: llama"; "" when always
  std::string resume;   // "fixed", "free" or "warn"; "" for sections
  std::vector<std::string> choices;
  std::vector<std::string> children;  // paths, for sections and lists of maps
  std::string json_type;  // "integer", "number", "boolean", "string", "amount", "duration", "map", "list"...
  std::optional<int64_t> minimum, maximum;
};

// All fields and sections in the order of the schema, depth first; the recipe itself first.
std::vector<FieldDoc> AllFields(const Families& families);

// One of them. "data.train.path", "data.train[].path" and
// "data.train[0].path" mean the same; kNotFound with a did-you-mean.
absl::StatusOr<FieldDoc> Explain(const std::string& path, const Families& families);

std::string JsonSchema(const Families& families);         // draft 2020-12, indented, for editors
std::string MarkdownReference(const Families& families);  // the generated part of docs/recipe.md

}  // namespace galley::recipe
