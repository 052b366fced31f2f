// JSON that Galley writes beside a data set: the text ends with its own checksum, so that every flipped bit
// is noticed. Private to runtime/data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/json.h"
#include "runtime/data/store/dataset_info.h"

namespace galley::data {

// `body` is an object's text up to the comma and line end after its last member.
std::string Seal(std::string body);

// The object. `path` and `remedy` stand in errors; `format` and `version` are what the members of that name
// must say (another version is kUnimplemented).
struct Sealed {
  absl::string_view path, remedy, format;
  int64_t version = 1;
};
absl::StatusOr<Json> Unseal(absl::string_view text, const Sealed& expected);
absl::Status BadSealed(const Sealed& expected, size_t offset, absl::string_view what);

std::string Quoted(absl::string_view text);  // as JSON; bytes that are not UTF-8 become U+FFFD
std::string SumsText(const BlockSums& sums);

// False where the member is missing or of another kind: another version's doing, since checksums hold.
bool ReadMember(const Json& object, const char* name, int64_t& value);  // not negative
bool ReadMember(const Json& object, const char* name, std::string& value);
bool ReadMember(const Json& object, const char* name, bool& value);
bool ReadMember(const Json& object, const char* name, BlockSums& sums);

}  // namespace galley::data
