// JSON out of bytes that may be hostile. Duplicate keys, deep nesting and floods of values are refused;
// integers keep all 64 bits, other numbers keep their text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley {

struct JsonMember;

struct Json {
  enum class Kind : uint8_t { kNull, kBool, kInt, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;
  std::string text;  // kString: the string; kNumber: as written
  std::vector<Json> items;
  std::vector<JsonMember> members;  // in the order of the text

  const Json* Find(absl::string_view key) const;  // null when there is none, or this is no object
  bool contains(absl::string_view key) const { return Find(key) != nullptr; }
  bool is_object() const { return kind == Kind::kObject; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_null() const { return kind == Kind::kNull; }
  std::optional<double> Number() const;  // of kInt and kNumber
  std::string Dump() const;              // compact
};

struct JsonMember {
  std::string name;
  Json value;
};

struct JsonLimits {
  int depth = 16;
  int64_t values = 2'000'000;
};

// One value and nothing but white space after it. An error gives the byte where it was noticed.
absl::StatusOr<Json> ParseJson(absl::string_view text, JsonLimits limits = {});

// Reads the members of one object, whose schema its owner knows. The first fault is kept, kDataLoss that
// names the member by its path; members after it are not looked at, and a value in error stays what it was.
class JsonReader {
 public:
  // `path`: of the object in its text, "sources[3]"; empty for the outermost.
  explicit JsonReader(const Json& object, std::string path = "");

  // Members that must be there.
  void Read(absl::string_view key, bool& value);
  void Read(absl::string_view key, double& value);
  void Read(absl::string_view key, std::string& value);
  void Read(absl::string_view key, int64_t& value, int64_t low = INT64_MIN, int64_t high = INT64_MAX);
  // The items of a list, no more than `most`; none after a fault.
  const std::vector<Json>& Items(absl::string_view key, size_t most);

  void Fail(absl::string_view key, absl::string_view what);  // "KEY WHAT", KEY by its path
  const absl::Status& status() const { return status_; }

 private:
  const Json* Member(absl::string_view key);  // null after a fault, which a missing member is

  const Json& object_;
  const std::string path_;
  absl::Status status_;
};

std::string JsonString(absl::string_view text);  // quoted and escaped; bytes above 0x7f stay as they are

}  // namespace galley
