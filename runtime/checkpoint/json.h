// JSON as checkpoints need it: small values out of bytes that may be hostile. Duplicate keys, deep nesting
// and floods of values are refused; integers keep all 64 bits, other numbers keep their text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::checkpoint {

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
  std::string Dump() const;                       // compact
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

std::string JsonString(absl::string_view text);  // quoted and escaped; bytes above 0x7f stay as they are
bool ValidUtf8(absl::string_view text);

}  // namespace galley::checkpoint
