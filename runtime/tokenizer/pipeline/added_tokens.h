// Tokens that are found in a text as they stand, before anything else looks at it: special tokens and those
// that were added to a vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace galley::tokenizer {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool single_word = false;  // only with no word character before or after it
  bool lstrip = false;       // takes the whitespace before it
  bool rstrip = false;       // takes the whitespace after it
  bool normalized = true;    // is looked for in normalized text
  bool special = false;
};

// Immutable and thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;
  // The leftmost longest matches count; `ignore_special` lets those of special tokens be text.
  AddedTokens(std::vector<AddedToken> tokens, bool ignore_special);
  bool empty() const { return empty_; }  // nothing will ever be found

  struct Part {
    size_t begin = 0;
    size_t end = 0;
    int32_t id = -1;  // -1: text between tokens
  };
  // The parts of a text, in order; none of an empty text.
  void Split(absl::string_view text, std::vector<Part>& parts) const;

 private:
  struct Node {
    int32_t token = -1;
    std::vector<std::pair<uint8_t, int32_t>> next;  // sorted
  };
  // The longest token at p: its index, or -1; and its length.
  int32_t Longest(const char* p, const char* end, size_t& length) const;

  bool empty_ = true;
  bool ignore_special_ = false;
  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::vector<bool> first_;  // by byte: a token begins with it
};

}  // namespace galley::tokenizer
