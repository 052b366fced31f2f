// The typed kinds of fields, and the words that declare them:
//
//   Declare<Model> d(table);
//   d.Leaf("layers", &Model::layers, IntegerCodec(), "Blocks.").Required().AtLeast(1).Fixed();
//   d.Section("loss_scale", &Precision::loss_scale, LossScaleTable(), "...");
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/recipe/codec.h"
#include "runtime/recipe/table.h"

namespace galley::recipe {

// The words every kind of field takes. D: the kind itself.
template <class D>
class Words : public Field {
 public:
  using Field::Field;
  D& Required() {
    required = true;
    default_text.clear();
    return Self();
  }
  D& Unit(const std::string& text) {
    unit = text;
    return Self();
  }
  D& Default(const std::string& text) {
    default_text = text;
    return Self();
  }
  D& After(const std::string& field) {
    after = field;
    return Self();
  }
  D& Fixed() {
    resume = Resume::kFixed;
    return Self();
  }
  D& Warn() {
    resume = Resume::kWarn;
    return Self();
  }
  // Applies only where `member` of the section, the field `field`, is one of `values`.
  template <class S, class V>
  D& OnlyFor(V S::*member, std::vector<V> values, const std::string& field, const std::string& spelled) {
    applies = [member, values](const void* section) {
      const V& now = static_cast<const S*>(section)->*member;
      for (const V& v : values) {
        if (v == now) return true;
      }
      return false;
    };
    applies_text = absl::StrCat(field, ": ", spelled);
    discriminant = field;
    return Self();
  }

 private:
  D& Self() { return static_cast<D&>(*this); }
};

template <class T>
class LeafField : public Words<LeafField<T>> {
 public:
  LeafField(std::string name, std::string doc, Codec<T> codec, std::function<T&(void*)> slot,
            std::function<const T*(const void*)> peek)
      : Words<LeafField<T>>(std::move(name), std::move(doc)),
        codec_(std::move(codec)),
        slot_(std::move(slot)),
        peek_(std::move(peek)) {}

  // `what` follows "must be" in a fault: "at least 1".
  LeafField& Bound(std::string what, std::function<bool(const T&)> holds) {
    bounds_.push_back({std::move(what), std::move(holds)});
    return *this;
  }
  LeafField& AtLeast(int64_t low) {
    minimum_ = low;
    return Bound(absl::StrCat("at least ", low), [low](const T& v) { return v >= static_cast<T>(low); });
  }
  LeafField& AtMost(int64_t high) {
    maximum_ = high;
    return Bound(absl::StrCat("at most ", high), [high](const T& v) { return v <= static_cast<T>(high); });
  }
  LeafField& Below(int64_t high) {
    return Bound(absl::StrCat("below ", high), [high](const T& v) { return v < static_cast<T>(high); });
  }
  LeafField& Positive() {
    return Bound("above 0", [](const T& v) { return v > T{}; });
  }

  void Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const override {
    std::optional<T> parsed = codec_.read(*value, path, checker);
    if (!parsed) return;
    for (const BoundOf& bound : bounds_) {
      if (bound.holds(*parsed)) continue;
      checker.ErrorAt(value->location, path, absl::StrCat("must be ", bound.what));
      return;
    }
    slot_(section) = *std::move(parsed);
  }

  NodePtr Write(const void* section, const std::string& root) const override {
    const T* value = peek_(section);
    return value == nullptr ? nullptr : codec_.write(*value, root);
  }

  void Describe(FieldDoc& out) const override {
    out.type = codec_.type;
    out.json_type = codec_.json_type;
    out.choices = codec_.choices;
    out.minimum = minimum_;
    out.maximum = maximum_;
    for (const BoundOf& bound : bounds_)
      absl::StrAppend(&out.bounds, out.bounds.empty() ? "" : ", ", bound.what);
  }

 private:
  struct BoundOf {
    std::string what;
    std::function<bool(const T&)> holds;
  };
  Codec<T> codec_;
  std::function<T&(void*)> slot_;
  std::function<const T*(const void*)> peek_;
  std::vector<BoundOf> bounds_;
  std::optional<int64_t> minimum_, maximum_;
};

// A map of its own, read into the child struct.
class SectionField : public Words<SectionField> {
 public:
  SectionField(std::string name, std::string doc, const Table& table, std::function<void*(void*)> slot,
               std::function<const void*(const void*)> peek)
      : Words(std::move(name), std::move(doc)),
        table_(table),
        slot_(std::move(slot)),
        peek_(std::move(peek)) {}

  void Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const override;
  NodePtr Write(const void* section, const std::string& root) const override;
  void Describe(FieldDoc& out) const override;
  const Table* table() const override { return &table_; }

 private:
  const Table& table_;
  std::function<void*(void*)> slot_;
  std::function<const void*(const void*)> peek_;
};

// A list of maps.
class ListField : public Words<ListField> {
 public:
  struct Access {
    std::function<void(void*)> clear;
    std::function<void*(void*)> append;
    std::function<size_t(const void*)> size;
    std::function<const void*(const void*, size_t)> at;
  };
  ListField(std::string name, std::string doc, const Table& table, Access access)
      : Words(std::move(name), std::move(doc)), table_(table), access_(std::move(access)) {}

  void Read(const NodePtr& value, const std::string& path, Checker& checker, void* section) const override;
  NodePtr Write(const void* section, const std::string& root) const override;
  void Describe(FieldDoc& out) const override;
  const Table* table() const override { return &table_; }
  bool is_list() const override { return true; }

 private:
  const Table& table_;
  Access access_;
};

// Adds fields of struct S to a table.
template <class S>
class Declare {
 public:
  explicit Declare(Table& table) : table_(table) {}

  template <class T>
  LeafField<T>& Leaf(std::string name, T S::*member, Codec<T> codec, std::string doc) {
    auto peek = [member](const void* s) -> const T* { return &(static_cast<const S*>(s)->*member); };
    auto field = std::make_unique<LeafField<T>>(
        std::move(name), std::move(doc), std::move(codec),
        [member](void* s) -> T& { return static_cast<S*>(s)->*member; }, peek);
    const S initial{};
    const NodePtr value = field->Write(&initial, "");
    if (value != nullptr) field->default_text = InitialText(*value);
    return Keep(std::move(field));
  }
  // An absent member is an absent key.
  template <class T>
  LeafField<T>& Leaf(std::string name, std::optional<T> S::*member, Codec<T> codec, std::string doc) {
    return Keep(std::make_unique<LeafField<T>>(
        std::move(name), std::move(doc), std::move(codec),
        [member](void* s) -> T& { return (static_cast<S*>(s)->*member).emplace(); },
        [member](const void* s) -> const T* {
          const std::optional<T>& value = static_cast<const S*>(s)->*member;
          return value ? &*value : nullptr;
        }));
  }
  template <class C>
  SectionField& Section(std::string name, C S::*member, const Table& table, std::string doc) {
    return Keep(std::make_unique<SectionField>(
        std::move(name), std::move(doc), table,
        [member](void* s) -> void* { return &(static_cast<S*>(s)->*member); },
        [member](const void* s) -> const void* { return &(static_cast<const S*>(s)->*member); }));
  }
  template <class C>
  SectionField& Section(std::string name, std::optional<C> S::*member, const Table& table, std::string doc) {
    return Keep(std::make_unique<SectionField>(
        std::move(name), std::move(doc), table,
        [member](void* s) -> void* { return &(static_cast<S*>(s)->*member).emplace(); },
        [member](const void* s) -> const void* {
          const std::optional<C>& value = static_cast<const S*>(s)->*member;
          return value ? &*value : nullptr;
        }));
  }
  // A map in the text whose fields are members of this same struct.
  SectionField& Group(std::string name, const Table& table, std::string doc) {
    return Keep(std::make_unique<SectionField>(
        std::move(name), std::move(doc), table, [](void* s) { return s; }, [](const void* s) { return s; }));
  }
  template <class C>
  ListField& List(std::string name, std::vector<C> S::*member, const Table& table, std::string doc) {
    ListField::Access access{
        .clear = [member](void* s) { (static_cast<S*>(s)->*member).clear(); },
        .append = [member](void* s) -> void* { return &(static_cast<S*>(s)->*member).emplace_back(); },
        .size = [member](const void* s) { return (static_cast<const S*>(s)->*member).size(); },
        .at = [member](const void* s, size_t i) -> const void* {
          return &(static_cast<const S*>(s)->*member)[i];
        }};
    return Keep(std::make_unique<ListField>(std::move(name), std::move(doc), table, std::move(access)));
  }

 private:
  static std::string InitialText(const Node& value) {
    if (value.kind != Node::Kind::kList) return value.text;
    std::string text;
    for (const NodePtr& item : value.items) absl::StrAppend(&text, text.empty() ? "[" : ", ", item->text);
    return text + "]";
  }
  template <class F>
  F& Keep(std::unique_ptr<F> field) {
    F& kept = *field;
    table_.Add(std::move(field));
    return kept;
  }
  Table& table_;
};

}  // namespace galley::recipe
