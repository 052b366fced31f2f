// Characters of UTF-8 text and their properties, by Unicode 16.0.0 (the version of tiktoken 0.14 and of
// Hugging Face's tokenizers 0.23).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace galley::tokenizer {

// What split patterns tell apart: \p{N}, \s (the property White_Space), \p{M}, \p{Lu} and \p{Lt}, \p{Ll},
// \p{Lm} and \p{Lo}.
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
// Whether a character (assigned or not) was no later addition than this version of Unicode.
bool StoodInUnicode8(char32_t code);
bool StoodInUnicode9(char32_t code);
bool IsSpace(char32_t code);        // White_Space
bool IsPunctuation(char32_t code);  // P*, in any version
bool IsWord(char32_t code);         // \w: Alphabetic, M, Nd, Pc, join controls

struct Utf8Char {
  char32_t code = 0;
  int length = 0;  // bytes; 0 when the bytes at hand begin no valid character
};

// The first character of [p, end), which is not empty. Overlong forms, surrogates and cut characters are
// invalid.
inline Utf8Char DecodeUtf8(const char* p, const char* end) {
  const auto at = [p](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(p[i])); };
  const auto more = [&](int i) { return (at(i) & 0xc0) == 0x80; };
  const uint32_t lead = at(0);
  if (lead < 0x80) return {lead, 1};
  if (lead >= 0xc2 && lead < 0xe0 && end - p >= 2 && more(1)) {
    return {(lead & 0x1f) << 6 | (at(1) & 0x3f), 2};
  }
  if (lead >= 0xe0 && lead < 0xf0 && end - p >= 3 && more(1) && more(2)) {
    const uint32_t code = (lead & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    if (code >= 0x800 && (code < 0xd800 || code >= 0xe000)) return {code, 3};
  }
  if (lead >= 0xf0 && lead < 0xf5 && end - p >= 4 && more(1) && more(2) && more(3)) {
    const uint32_t code = (lead & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
    if (code >= 0x10000 && code < 0x110000) return {code, 4};
  }
  return {};
}

// Appends a code point below 0x110000 that is no surrogate.
void AppendUtf8(char32_t code, std::string& out);

inline constexpr char32_t kReplacement = 0xfffd;

// The character at p as kinds of tokenizer that know characters only take it: U+FFFD of length 1 for a byte
// that begins no valid character.
inline Utf8Char CharAt(const char* p, const char* end) {
  const Utf8Char c = DecodeUtf8(p, end);
  return c.length > 0 ? c : Utf8Char{kReplacement, 1};
}
bool IsValidUtf8(absl::string_view text);
std::string ReplaceInvalidUtf8(absl::string_view text);  // by CharAt's rule

// The class of the character at p and its length. A byte that begins no valid character is a kOther of length
// 1, so that any bytes can be tokenized.
struct ClassedChar {
  CharClass kind = CharClass::kOther;
  int length = 1;
};
ClassedChar ClassAt(const char* p, const char* end);

}  // namespace galley::tokenizer
