// The model section's two kinds of fields that know families: `family` itself, and a key that only some have.
#pragma once

#include <string>
#include <vector>

#include "runtime/recipe/family.h"

namespace galley::recipe {

// Reading is SetFamily, so the defaults that it decides are there before other keys are read.
class FamilyChoice : public Field {
 public:
  explicit FamilyChoice(Families families);
  void Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const override;
  NodePtr Write(const void* section, const std::string& root) const override;
  void Describe(FieldDoc& out) const override;

 private:
  std::vector<std::string> Names() const;
  const Families families_;
};

// A key of one or more families, in a table whose struct is Model; read into and written from Model::keys. Of
// a model of another family, it is read for its own faults and forgotten.
class FamilyField : public Field {
 public:
  FamilyField(const Family& family, const Field& field);
  // Another family's key of this name. CHECKs that it means the same there.
  void Share(const Family& family, const Field& field);

  void Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const override;
  NodePtr Write(const void* section, const std::string& root) const override;
  void Describe(FieldDoc& out) const override { members_.front().field->Describe(out); }
  const Table* table() const override { return members_.front().field->table(); }
  bool is_list() const override { return members_.front().field->is_list(); }

 private:
  struct Member {
    const Family* family;
    const Field* field;
  };
  const Field* In(const Family* family) const;
  void Join();  // what is said of all members together

  std::vector<Member> members_;
};

}  // namespace galley::recipe
