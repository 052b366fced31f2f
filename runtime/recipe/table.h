// Field tables. A Table declares a section once: name, member, unit, doc, bounds, what a resume may do with
// it; the default is the member's initialiser. The strict reader, the canonical writer, the identity hash,
// explain, the JSON Schema and the generated docs all walk it. Fields are typed where they are declared
// (leaf.h) and untyped (void* of the section's struct) where they are walked.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/recipe/checker.h"
#include "runtime/recipe/identity.h"
#include "runtime/recipe/node.h"
#include "runtime/recipe/schema.h"

namespace galley::recipe {

class Table;

class Field {
 public:
  Field(std::string field_name, std::string field_doc)
      : name(std::move(field_name)), doc(std::move(field_doc)) {}
  virtual ~Field() = default;

  // Reads `value`, written under `path`. Faults go to the checker and leave the member as it was.
  virtual void Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const = 0;
  // The canonical value; null when the member is absent. Paths below `root` come out relative to it.
  virtual NodePtr Write(const void* section, const std::string& root) const = 0;
  // Type, choices and bounds.
  virtual void Describe(FieldDoc& out) const = 0;
  virtual const Table* table() const { return nullptr; }  // of a section, or of the elements of a list
  virtual bool is_list() const { return false; }          // of maps

  bool Applies(const void* section) const { return !applies || applies(section); }

  const std::string name;
  const std::string doc;
  std::string unit;
  std::string default_text;
  bool required = false;
  Resume resume = Resume::kFree;
  // Only where `discriminant`, another field of the section, has a certain value: applies_text, "kind: gpt2".
  std::function<bool(const void*)> applies;
  std::string discriminant;
  std::string applies_text;
  // In a family's table: the key of the model section that it follows. Empty: it stands at the end.
  std::string after;
};

class Table {
 public:
  Field& Add(std::unique_ptr<Field> field) {
    fields_.push_back(std::move(field));
    return *fields_.back();
  }
  // Behind the field `after`; at the end when `after` is empty. CHECKs that there is such a field.
  void AddAfter(absl::string_view after, std::unique_ptr<Field> field);
  const std::vector<std::unique_ptr<Field>>& fields() const { return fields_; }
  const Field* Find(absl::string_view name) const;
  Field* Find(absl::string_view name);
  // Whether the field decides which others apply.
  bool IsDiscriminant(absl::string_view name) const;
  std::vector<std::string> Names() const;

  // Defaults that depend on other fields, after all are read. `present`: names the text gave.
  std::function<void(void* section, const std::set<std::string>& present)> finish;

 private:
  std::vector<std::unique_ptr<Field>> fields_;
};

// Reads a map's entries into `section`: unknown, missing and inapplicable fields, then `finish`.
void ReadSection(const Table& table, const NodePtr& map, const std::string& path, Checker& checker,
                 void* section);
// The canonical map of a section.
NodePtr WriteSection(const Table& table, const void* section, const std::string& root);

NodePtr ScalarNode(std::string text);
NodePtr StringNode(std::string text);  // quoted by the writer where YAML would read it as something else
NodePtr ListNode(std::vector<NodePtr> items);

}  // namespace galley::recipe
