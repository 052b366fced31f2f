// How one type of value is read from and written to YAML. Readers
// report their faults at the value's location and return nothing.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/recipe/checker.h"
#include "runtime/recipe/node.h"
#include "runtime/recipe/spec.h"

namespace galley::recipe {

template <class T>
struct Codec {
  std::string type;       // for people: "whole number"
  std::string json_type;  // FieldDoc::json_type
  std::function<std::optional<T>(const Node& value, const std::string& path, Checker& checker)> read;
  std::function<NodePtr(const T& value, const std::string& root)> write;  // null: absent
  std::vector<std::string> choices = {};
};

Codec<int64_t> IntegerCodec();
Codec<double> NumberCodec();
Codec<bool> BoolCodec();
Codec<std::string> StringCodec();  // empty: absent
Codec<std::string> PathCodec();    // absolute in the spec; empty: absent
Codec<Amount> AmountCodec();
Codec<int64_t> DurationCodec();
Codec<std::vector<double>> NumbersCodec();
Codec<std::map<std::string, std::string>> LabelsCodec();

// The scalar's text, or a fault: "expected <what>, got a list".
std::optional<std::string> PlainText(const Node& value, const std::string& path, Checker& checker,
                                     const std::string& what, bool quoted_too);

// The index of the choice, or a fault that lists them.
std::optional<size_t> ReadChoice(const Node& value, const std::string& path, Checker& checker,
                                 const std::vector<std::string>& names);

template <class E>
Codec<E> ChoiceCodec(std::vector<std::pair<std::string, E>> choices) {
  std::vector<std::string> names;
  std::vector<E> values;
  for (auto& [name, value] : choices) {
    names.push_back(name);
    values.push_back(value);
  }
  return {.type = "choice",
          .json_type = "choice",
          .read = [names, values](const Node& value, const std::string& path,
                                  Checker& checker) -> std::optional<E> {
            const std::optional<size_t> at = ReadChoice(value, path, checker, names);
            return at ? std::optional<E>(values[*at]) : std::nullopt;
          },
          .write = [names, values](const E& value, const std::string&) -> NodePtr {
            auto node = std::make_shared<Node>();
            node->kind = Node::Kind::kScalar;
            for (size_t i = 0; i < values.size(); ++i) {
              if (values[i] == value) node->text = names[i];
            }
            return node;
          },
          .choices = names};
}

}  // namespace galley::recipe
