#include "runtime/recipe/codec.h"

#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "runtime/recipe/quantity.h"
#include "runtime/recipe/suggest.h"
#include "runtime/recipe/table.h"

namespace galley::recipe {
namespace {

// A codec of plain scalars from a parser of text and a printer to text.
template <class T>
Codec<T> ScalarCodec(std::string type, std::string json_type, const char* what,
                     absl::StatusOr<T> (*parse)(absl::string_view), std::string (*print)(const T&)) {
  return {.type = std::move(type),
          .json_type = std::move(json_type),
          .read = [what, parse](const Node& value, const std::string& path,
                                Checker& checker) -> std::optional<T> {
            const std::optional<std::string> text = PlainText(value, path, checker, what, false);
            if (!text) return std::nullopt;
            absl::StatusOr<T> parsed = parse(*text);
            if (parsed.ok()) return *std::move(parsed);
            checker.ErrorAt(value.location, path, std::string(parsed.status().message()));
            return std::nullopt;
          },
          .write = [print](const T& value, const std::string&) { return ScalarNode(print(value)); }};
}

absl::StatusOr<bool> ParseBool(absl::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return absl::InvalidArgumentError(absl::StrCat("expected true or false, got '", text, "'"));
}

std::string PrintInteger(const int64_t& value) { return absl::StrCat(value); }
std::string PrintDouble(const double& value) { return PrintNumber(value); }
std::string PrintSeconds(const int64_t& value) { return PrintDuration(value); }
std::string PrintBool(const bool& value) { return value ? "true" : "false"; }

std::string Resolve(const std::string& dir, const std::string& path) {
  return std::filesystem::path(JoinPath(dir, path)).lexically_normal().string();
}

// Below `root`: relative to it, so that a folder can be moved as a whole. Elsewhere: as it is.
std::string Relative(const std::string& path, const std::string& root) {
  const std::string prefix = absl::EndsWith(root, "/") ? root : root + "/";
  return !root.empty() && absl::StartsWith(path, prefix) ? path.substr(prefix.size()) : path;
}

}  // namespace

std::optional<std::string> PlainText(const Node& value, const std::string& path, Checker& checker,
                                     const std::string& what, bool quoted_too) {
  if (value.kind != Node::Kind::kScalar) {
    checker.ErrorAt(value.location, path, absl::StrCat("expected ", what, ", got ", KindName(value)));
    return std::nullopt;
  }
  if (value.quoted && !quoted_too) {
    checker.ErrorAt(value.location, path,
                    absl::StrCat("expected ", what, ", got the string \"", absl::Utf8SafeCEscape(value.text),
                                 "\"; leave out the quotes"));
    return std::nullopt;
  }
  // Faults are one line each, whatever a scalar holds.
  return value.quoted || quoted_too ? value.text : absl::Utf8SafeCEscape(value.text);
}

std::optional<size_t> ReadChoice(const Node& value, const std::string& path, Checker& checker,
                                 const std::vector<std::string>& names) {
  const std::string what = absl::StrCat(names.size() > 1 ? "one of " : "", absl::StrJoin(names, ", "));
  const std::optional<std::string> text = PlainText(value, path, checker, what, true);
  if (!text) return std::nullopt;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == *text) return i;
  }
  checker.ErrorAt(value.location, path,
                  absl::StrCat("expected ", what, ", got '", absl::Utf8SafeCEscape(*text), "'",
                               names.size() > 1 ? DidYouMean(*text, names) : ""));
  return std::nullopt;
}

Codec<int64_t> IntegerCodec() {
  return ScalarCodec<int64_t>("whole number", "integer", "a whole number", ParseInteger, PrintInteger);
}

Codec<double> NumberCodec() {
  return ScalarCodec<double>("number", "number", "a number", ParseNumber, PrintDouble);
}

Codec<bool> BoolCodec() {
  return ScalarCodec<bool>("true or false", "boolean", "true or false", ParseBool, PrintBool);
}

Codec<Amount> AmountCodec() {
  return ScalarCodec<Amount>("amount (steps, samples or tokens)", "amount", "an amount like '100 steps'",
                             ParseAmount, PrintAmount);
}

Codec<int64_t> DurationCodec() {
  return ScalarCodec<int64_t>("duration", "duration", "a duration like '90s'", ParseDuration, PrintSeconds);
}

Codec<std::string> StringCodec() {
  return {
      .type = "text",
      .json_type = "string",
      .read = [](const Node& value, const std::string& path, Checker& checker) -> std::optional<std::string> {
        std::optional<std::string> text = PlainText(value, path, checker, "a text", true);
        if (text && text->empty()) {
          checker.ErrorAt(value.location, path, "must not be empty");
          return std::nullopt;
        }
        return text;
      },
      .write = [](const std::string& value,
                  const std::string&) { return value.empty() ? nullptr : StringNode(value); }};
}

Codec<std::string> PathCodec() {
  Codec<std::string> codec = StringCodec();
  codec.type = "path";
  codec.read = [read = codec.read](const Node& value, const std::string& path,
                                   Checker& checker) -> std::optional<std::string> {
    const std::optional<std::string> text = read(value, path, checker);
    if (!text) return std::nullopt;
    return Resolve(checker.files()[static_cast<size_t>(value.location.file)].dir, *text);
  };
  codec.write = [](const std::string& value, const std::string& root) {
    return value.empty() ? nullptr : StringNode(Relative(value, root));
  };
  return codec;
}

Codec<std::vector<double>> NumbersCodec() {
  return {.type = "list of numbers",
          .json_type = "numbers",
          .read = [](const Node& value, const std::string& path,
                     Checker& checker) -> std::optional<std::vector<double>> {
            if (value.kind != Node::Kind::kList) {
              checker.ErrorAt(value.location, path,
                              absl::StrCat("expected a list of numbers, got ", KindName(value)));
              return std::nullopt;
            }
            std::vector<double> numbers;
            for (size_t i = 0; i < value.items.size(); ++i) {
              const auto number = NumberCodec().read(*value.items[i], ItemPath(path, i), checker);
              if (number) numbers.push_back(*number);
            }
            return numbers.size() == value.items.size() ? std::optional(numbers) : std::nullopt;
          },
          .write =
              [](const std::vector<double>& value, const std::string&) {
                std::vector<NodePtr> items;
                for (double v : value) items.push_back(ScalarNode(PrintNumber(v)));
                return ListNode(std::move(items));
              }};
}

Codec<std::map<std::string, std::string>> LabelsCodec() {
  using Labels = std::map<std::string, std::string>;
  return {.type = "map of texts",
          .json_type = "labels",
          .read = [](const Node& value, const std::string& path, Checker& checker) -> std::optional<Labels> {
            if (value.kind != Node::Kind::kMap) {
              checker.ErrorAt(value.location, path,
                              absl::StrCat("expected a map of texts, got ", KindName(value)));
              return std::nullopt;
            }
            Labels labels;
            for (const Entry& entry : value.entries) {
              const std::string child = ChildPath(path, entry.key);
              checker.SetLocation(child, entry.value->location);
              const auto text = StringCodec().read(*entry.value, child, checker);
              if (text) labels[entry.key] = *text;
            }
            return labels.size() == value.entries.size() ? std::optional(labels) : std::nullopt;
          },
          .write = [](const Labels& value, const std::string&) -> NodePtr {
            if (value.empty()) return nullptr;
            auto map = std::make_shared<Node>();
            map->kind = Node::Kind::kMap;
            for (const auto& [key, text] : value) map->entries.push_back({key, {}, StringNode(text)});
            return map;
          }};
}

}  // namespace galley::recipe
