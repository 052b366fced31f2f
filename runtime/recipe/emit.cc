#include "runtime/recipe/emit.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/recipe/quantity.h"

namespace galley::recipe {
namespace {

// Stricter than YAML asks: nothing that a reader of YAML 1.1 or 1.2 may take for a number, a truth value, a
// null or syntax stands without quotes.
bool PlainSafe(const std::string& text) {
  const auto word = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '/';
  };
  if (text.empty() || !(word(text[0]) || text[0] == '.')) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool inner_colon = c == ':' && i + 1 < text.size() && word(text[i + 1]);
    if (!word(c) && c != '.' && c != '-' && c != '+' && !inner_colon) return false;
  }
  std::string lower = absl::AsciiStrToLower(text);
  for (const char* reserved : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == reserved) return false;
  }
  return !ParseNumber(text).ok();
}

std::string Scalar(const Node& node) {
  if (node.kind == Node::Kind::kNull) return "null";
  if (!node.quoted || PlainSafe(node.text)) return node.text;
  std::string out = "\"";
  for (char c : node.text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string Key(const std::string& key) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.text = key;
  node.quoted = true;
  return Scalar(node);
}

bool Inline(const Node& node) {
  if (node.kind == Node::Kind::kMap) return node.entries.empty();
  return node.kind != Node::Kind::kList ||
         std::all_of(node.items.begin(), node.items.end(),
                     [](const NodePtr& item) { return item->kind == Node::Kind::kScalar; });
}

class Emitter {
 public:
  explicit Emitter(const std::function<std::string(const std::string&)>& comment) : comment_(comment) {}

  // first: what stands before the first entry instead of the indent ("- " of a list).
  void Map(const Node& map, const std::string& path, size_t indent, std::string first) {
    for (const Entry& entry : map.entries) {
      const std::string at = ChildPath(path, entry.key);
      absl::StrAppend(&out_, first, Key(entry.key), ":");
      first = std::string(indent, ' ');
      if (Inline(*entry.value)) {
        absl::StrAppend(&out_, " ", EmitInline(*entry.value));
        Comment(at);
        continue;
      }
      out_ += "\n";
      if (entry.value->kind == Node::Kind::kMap) {
        Map(*entry.value, at, indent + 2, std::string(indent + 2, ' '));
        continue;
      }
      for (size_t i = 0; i < entry.value->items.size(); ++i) {
        Map(*entry.value->items[i], ItemPath(at, i), indent + 4, std::string(indent + 2, ' ') + "- ");
      }
    }
  }

  std::string Take() { return std::move(out_); }

 private:
  void Comment(const std::string& path) {
    const std::string comment = comment_ ? comment_(path) : "";
    absl::StrAppend(&out_, comment.empty() ? "" : "  # ", comment, "\n");
  }
  const std::function<std::string(const std::string&)>& comment_;
  std::string out_;
};

}  // namespace

std::string EmitInline(const Node& value) {
  if (value.kind == Node::Kind::kMap) {
    std::string out = "{";
    for (const Entry& e : value.entries) {
      absl::StrAppend(&out, out.size() > 1 ? ", " : "", Key(e.key), ": ", EmitInline(*e.value));
    }
    return out + "}";
  }
  if (value.kind != Node::Kind::kList) return Scalar(value);
  std::string out = "[";
  for (const NodePtr& item : value.items)
    absl::StrAppend(&out, out.size() > 1 ? ", " : "", EmitInline(*item));
  return out + "]";
}

std::string EmitYaml(const Node& map, const std::function<std::string(const std::string&)>& comment) {
  Emitter emitter(comment);
  emitter.Map(map, "", 0, "");
  return emitter.Take();
}

}  // namespace galley::recipe
