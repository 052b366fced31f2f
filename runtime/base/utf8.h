// Characters of UTF-8 text. Overlong forms, surrogates, codes above U+10FFFF and cut characters are invalid.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace galley {

struct Utf8Char {
  char32_t code = 0;
  int length = 0;  // bytes; 0 when the bytes at hand begin no valid character
};

// Whether a byte goes on a character that one before it began.
constexpr bool ContinuesUtf8(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// The character of four bytes that [p, end) begins with: those above U+FFFF. For DecodeUtf8.
inline Utf8Char DecodeFourByteUtf8(const char* p, const char* end) {
  if (end - p < 4 || !ContinuesUtf8(p[1]) || !ContinuesUtf8(p[2]) || !ContinuesUtf8(p[3])) return {};
  const auto bits = [p](int i, uint32_t mask) { return static_cast<unsigned char>(p[i]) & mask; };
  const uint32_t code = bits(0, 0x07) << 18 | bits(1, 0x3f) << 12 | bits(2, 0x3f) << 6 | bits(3, 0x3f);
  if (code < 0x10000 || code >= 0x110000) return {};
  return {code, 4};
}

// The first character of [p, end), which is not empty. Inline: tokenizers call it for every character.
inline Utf8Char DecodeUtf8(const char* p, const char* end) {
  const auto at = [p](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(p[i])); };
  const uint32_t lead = at(0);
  if (lead < 0x80) return {lead, 1};
  if (lead >= 0xc2 && lead < 0xe0 && end - p >= 2 && ContinuesUtf8(p[1])) {
    return {(lead & 0x1f) << 6 | (at(1) & 0x3f), 2};
  }
  if (lead >= 0xe0 && lead < 0xf0 && end - p >= 3 && ContinuesUtf8(p[1]) && ContinuesUtf8(p[2])) {
    const uint32_t code = (lead & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    if (code >= 0x800 && (code < 0xd800 || code >= 0xe000)) return {code, 3};
  }
  if (lead >= 0xf0 && lead < 0xf5) return DecodeFourByteUtf8(p, end);
  return {};
}

// Appends a code point below 0x110000 that is no surrogate.
void AppendUtf8(char32_t code, std::string& out);

bool IsValidUtf8(absl::string_view text);

}  // namespace galley
