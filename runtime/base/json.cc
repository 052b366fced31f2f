#include "runtime/base/json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace galley {
namespace {

// Receives the parser's events, so that limits hold while the text is read and not after.
class Builder {
 public:
  explicit Builder(JsonLimits limits) : limits_(limits) {}

  Json& root() { return root_; }
  const std::string& error() const { return error_; }

  bool null() { return Add({}); }
  bool boolean(bool value) {
    Json json;
    json.kind = Json::Kind::kBool;
    json.boolean = value;
    return Add(std::move(json));
  }
  bool number_integer(int64_t value) {
    Json json;
    json.kind = Json::Kind::kInt;
    json.integer = value;
    return Add(std::move(json));
  }
  bool number_unsigned(uint64_t value) {
    if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return number_integer(static_cast<int64_t>(value));
    }
    return Number(absl::StrCat(value));
  }
  bool number_float(double, const std::string& text) { return Number(text); }
  bool string(std::string& value) {
    Json json;
    json.kind = Json::Kind::kString;
    json.text = std::move(value);
    return Add(std::move(json));
  }
  bool binary(std::vector<uint8_t>&) { return Fail("binary value"); }
  bool start_object(size_t) { return Open(Json::Kind::kObject); }
  bool start_array(size_t) { return Open(Json::Kind::kArray); }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool key(std::string& name) {
    open_.back()->members.push_back({std::move(name), {}});
    return true;
  }
  bool end_object() {
    // By sorting: a search for every key would take a hostile object's length squared.
    std::vector<absl::string_view> names;
    names.reserve(open_.back()->members.size());
    for (const auto& [name, value] : open_.back()->members) names.push_back(name);
    std::sort(names.begin(), names.end());
    auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) return Fail(absl::StrCat("the key ", JsonString(*twice), " comes twice"));
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    return Fail(absl::StrCat("not JSON at byte ", position));
  }

 private:
  bool Fail(std::string error) {
    if (error_.empty()) error_ = std::move(error);
    return false;
  }
  bool Number(std::string text) {
    Json json;
    json.kind = Json::Kind::kNumber;
    json.text = std::move(text);
    return Add(std::move(json));
  }
  Json* Put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json* parent = open_.back();
    if (parent->kind == Json::Kind::kObject) {
      parent->members.back().value = std::move(value);
      return &parent->members.back().value;
    }
    parent->items.push_back(std::move(value));
    return &parent->items.back();
  }
  bool Add(Json value) {
    if (++values_ > limits_.values) return Fail(absl::StrCat("more than ", limits_.values, " values"));
    Put(std::move(value));
    return true;
  }
  bool Open(Json::Kind kind) {
    // Dump and the destructor recurse, so this bounds the stack as well.
    if (static_cast<int>(open_.size()) >= limits_.depth) {
      return Fail(absl::StrCat("nested deeper than ", limits_.depth));
    }
    if (++values_ > limits_.values) return Fail(absl::StrCat("more than ", limits_.values, " values"));
    Json json;
    json.kind = kind;
    // A parent gets no new member while its child is open, so the pointer stays good.
    open_.push_back(Put(std::move(json)));
    return true;
  }

  JsonLimits limits_;
  Json root_;
  std::vector<Json*> open_;
  int64_t values_ = 0;
  std::string error_;
};

}  // namespace

const Json* Json::Find(absl::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::optional<double> Json::Number() const {
  double number = 0;
  if (kind == Kind::kInt) return static_cast<double>(integer);
  if (kind == Kind::kNumber && absl::SimpleAtod(text, &number)) return number;
  return std::nullopt;
}

std::string Json::Dump() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return boolean ? "true" : "false";
    case Kind::kInt:
      return absl::StrCat(integer);
    case Kind::kNumber:
      return text;
    case Kind::kString:
      return JsonString(text);
    case Kind::kArray: {
      std::string out = "[";
      for (const Json& item : items) absl::StrAppend(&out, out.size() > 1 ? "," : "", item.Dump());
      return out + "]";
    }
    case Kind::kObject: {
      std::string out = "{";
      for (const auto& [name, value] : members) {
        absl::StrAppend(&out, out.size() > 1 ? "," : "", JsonString(name), ":", value.Dump());
      }
      return out + "}";
    }
  }
  return "";
}

absl::StatusOr<Json> ParseJson(absl::string_view text, JsonLimits limits) {
  Builder builder(limits);
  bool ok = false;
  try {
    ok = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const std::exception& e) {
    return absl::DataLossError(absl::StrCat("not JSON: ", e.what()));
  }
  if (!ok) return absl::DataLossError(builder.error());
  return std::move(builder.root());
}

JsonReader::JsonReader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (object.is_object()) return;
  status_ = absl::DataLossError(absl::StrCat(path_, path_.empty() ? "" : " is ", "not a JSON object"));
}

void JsonReader::Fail(absl::string_view key, absl::string_view what) {
  if (!status_.ok()) return;
  status_ = absl::DataLossError(absl::StrCat(path_, path_.empty() ? "" : ".", key, " ", what));
}

const Json* JsonReader::Member(absl::string_view key) {
  if (!status_.ok()) return nullptr;
  const Json* const member = object_.Find(key);
  if (member == nullptr) Fail(key, "is missing");
  return member;
}

void JsonReader::Read(absl::string_view key, bool& value) {
  const Json* const member = Member(key);
  if (member == nullptr) return;
  if (member->kind != Json::Kind::kBool) return Fail(key, "is not true or false");
  value = member->boolean;
}

void JsonReader::Read(absl::string_view key, double& value) {
  const Json* const member = Member(key);
  if (member == nullptr) return;
  const std::optional<double> number = member->Number();
  if (!number) return Fail(key, "is not a number");
  value = *number;
}

void JsonReader::Read(absl::string_view key, std::string& value) {
  const Json* const member = Member(key);
  if (member == nullptr) return;
  if (member->kind != Json::Kind::kString) return Fail(key, "is not a string");
  value = member->text;
}

void JsonReader::Read(absl::string_view key, int64_t& value, int64_t low, int64_t high) {
  const Json* const member = Member(key);
  if (member == nullptr) return;
  if (member->kind != Json::Kind::kInt) return Fail(key, "is not a whole number");
  if (member->integer < low || member->integer > high) {
    return Fail(key, absl::StrCat("is ", member->integer, ", outside ", low, " to ", high));
  }
  value = member->integer;
}

const std::vector<Json>& JsonReader::Items(absl::string_view key, size_t most) {
  static const std::vector<Json> none;
  const Json* const member = Member(key);
  if (member == nullptr) return none;
  if (member->is_array() && member->items.size() <= most) return member->items;
  Fail(key, member->is_array() ? "is too long" : "is not a list");
  return none;
}

std::string JsonString(absl::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20 || u == 0x7f) {
      absl::StrAppend(&out, "\\u", absl::Hex(u, absl::kZeroPad4));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace galley
