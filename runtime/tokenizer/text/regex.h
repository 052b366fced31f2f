// Split and replace patterns that no scanner of ours knows, through PCRE2, with the meaning that Oniguruma
// (Hugging Face) or Rust's regex (tiktoken) gives them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::tokenizer {

// Thread-safe. Letters and other properties are those of PCRE2's
// own Unicode version. Bytes that are no UTF-8 match nothing.
class Regex {
 public:
  enum class Dialect { kOniguruma, kRust };
  // What the dialects and PCRE2 read differently is rewritten (\s, \w, \h, $) or refused by name: nested
  // classes, &&, \W inside a class.
  static absl::StatusOr<Regex> Compile(absl::string_view pattern, Dialect dialect);

  // Calls `found(begin, end)` for the matches, from left to right, without the empty ones. Fails when the
  // pattern goes past PCRE2's limits of work on this text.
  absl::Status ForEach(absl::string_view text, const std::function<void(size_t, size_t)>& found) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;  // shared by copies of this value
  std::string pattern_;
};

}  // namespace galley::tokenizer
