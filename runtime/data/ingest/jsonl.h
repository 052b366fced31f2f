// The text in one line of JSONL.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::data {

// The string under `key` of the object in `line`; with the key twice, the last. The whole line is checked:
// JSON as RFC 8259 has it, valid UTF-8, no lone surrogates, at most 128 levels. The view points into `line`,
// or into `storage` when the string holds escapes. An error begins with the column (in bytes, from 1).
absl::StatusOr<absl::string_view> JsonText(absl::string_view line, absl::string_view key,
                                           std::string& storage);

}  // namespace galley::data
