#include "runtime/recipe/family_field.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/check.h"
#include "runtime/recipe/codec.h"

namespace galley::recipe {
namespace {

std::string DocOf(const Families& families) {
  return absl::StrJoin(families, " ", [](std::string* out, const Family* family) {
    absl::StrAppend(out, family->name, ": ", family->doc);
  });
}

bool SameMeaning(const Field& a, const Field& b) {
  FieldDoc x, y;
  a.Describe(x);
  b.Describe(y);
  return a.doc == b.doc && a.unit == b.unit && a.required == b.required && a.resume == b.resume &&
         x.type == y.type && x.bounds == y.bounds && x.choices == y.choices;
}

}  // namespace

FamilyChoice::FamilyChoice(Families families)
    : Field("family", DocOf(families)), families_(std::move(families)) {
  required = true;
  resume = Resume::kFixed;
}

std::vector<std::string> FamilyChoice::Names() const {
  std::vector<std::string> names;
  for (const Family* family : families_) names.push_back(family->name);
  return names;
}

void FamilyChoice::Read(const NodePtr& value, const std::string& path, Checker& checker,
                        void* section) const {
  const std::optional<size_t> at = ReadChoice(*value, path, checker, Names());
  if (!at) return;
  SetFamily(*families_[*at], *static_cast<Model*>(section));
}

NodePtr FamilyChoice::Write(const void* section, const std::string&) const {
  const Family* family = static_cast<const Model*>(section)->family;
  return family == nullptr ? nullptr : ScalarNode(family->name);
}

void FamilyChoice::Describe(FieldDoc& out) const {
  out.type = out.json_type = "choice";
  out.choices = Names();
}

FamilyField::FamilyField(const Family& family, const Field& field) : Field(field.name, field.doc) {
  unit = field.unit;
  required = field.required;
  resume = field.resume;
  discriminant = "family";
  applies = [this](const void* section) { return In(static_cast<const Model*>(section)->family) != nullptr; };
  Share(family, field);
}

void FamilyField::Share(const Family& family, const Field& field) {
  CHECK(field.applies == nullptr) << field.name
                                  << ": applies to a whole family; give it a section of its own";
  CHECK(members_.empty() || SameMeaning(*members_.front().field, field))
      << field.name << ": has another meaning in " << family.name;
  members_.push_back({&family, &field});
  Join();
}

void FamilyField::Join() {
  const auto name = [](std::string* out, const Member& m) { out->append(m.family->name); };
  applies_text = absl::StrCat("family: ", absl::StrJoin(members_, " or ", name));
  const std::string& first = members_.front().field->default_text;
  const bool equal = std::all_of(members_.begin(), members_.end(),
                                 [&](const Member& m) { return m.field->default_text == first; });
  default_text = equal ? first : absl::StrJoin(members_, ", ", [](std::string* out, const Member& m) {
    absl::StrAppend(out, m.field->default_text, " for ", m.family->name);
  });
}

const Field* FamilyField::In(const Family* family) const {
  for (const Member& m : members_) {
    if (m.family == family) return m.field;
  }
  return nullptr;
}

void FamilyField::Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const {
  Model& model = *static_cast<Model*>(section);
  if (const Field* field = In(model.family)) return field->Read(value, path, checker, model.keys.address());
  FamilyKeys other = members_.front().family->defaults;
  members_.front().field->Read(value, path, checker, other.address());
}

NodePtr FamilyField::Write(const void* section, const std::string& root) const {
  const Model& model = *static_cast<const Model*>(section);
  return In(model.family)->Write(model.keys.address(), root);
}

}  // namespace galley::recipe
