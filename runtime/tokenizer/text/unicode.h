// Characters of UTF-8 text and their properties, by Unicode 16.0.0 (the version of tiktoken 0.14 and of
// Hugging Face's tokenizers 0.23).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "runtime/base/utf8.h"

namespace galley::tokenizer {

// What split patterns tell apart: \p{N}, \s (the property
// White_Space), \p{M}, \p{Lu} and \p{Lt}, \p{Ll}, \p{Lm} and \p{Lo}.
enum class CharClass : uint8_t { kOther, kNumber, kSpace, kMark, kUpper, kLower, kLetter };
constexpr bool IsLetter(CharClass kind) { return kind >= CharClass::kUpper; }  // \p{L}

// General categories, by their two letters.
enum class Category : uint8_t {
  // clang-format off
  Cc, Cf, Cn, Co, Cs, Ll, Lm, Lo, Lt, Lu, Mc, Me, Mn, Nd, Nl, No, Pc, Pd, Pe, Pf, Pi, Po, Ps, Sc, Sk, Sm, So, Zl, Zp, Zs
  // clang-format on
};

CharClass ClassOf(char32_t code);  // code < 0x110000, as everywhere here
Category CategoryOf(char32_t code);
// Whether a code point, assigned or not, is no later addition than this version of Unicode.
bool NotAfterUnicode8(char32_t code);
bool NotAfterUnicode9(char32_t code);
bool IsSpace(char32_t code);        // White_Space
bool IsPunctuation(char32_t code);  // P*, in any version
bool IsWord(char32_t code);         // \w: Alphabetic, M, Nd, Pc, join controls

inline constexpr char32_t kReplacement = 0xfffd;

// The character at p as kinds of tokenizer that know characters only take it: U+FFFD of length 1 for a byte
// that begins no valid character.
inline Utf8Char CharAt(const char* p, const char* end) {
  const Utf8Char c = DecodeUtf8(p, end);
  return c.length > 0 ? c : Utf8Char{kReplacement, 1};
}
std::string ReplaceInvalidUtf8(absl::string_view text);  // by CharAt's rule

// The class of the character at p and its length. A byte that begins no valid character is a kOther of length
// 1, so that any bytes can be tokenized.
struct ClassedChar {
  CharClass kind = CharClass::kOther;
  int length = 1;
};
ClassedChar ClassAt(const char* p, const char* end);

}  // namespace galley::tokenizer
