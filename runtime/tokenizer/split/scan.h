// What the split scanners share: classes of characters and runs of them, fast for ASCII.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer::scan {

// Class of an ASCII byte, kMany for the bytes of longer characters.
constexpr uint8_t kMany = 0xff;
constexpr std::array<uint8_t, 256> kByteClass = [] {
  std::array<uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    CharClass kind = CharClass::kOther;
    if (c >= 'a' && c <= 'z') kind = CharClass::kLower;
    if (c >= 'A' && c <= 'Z') kind = CharClass::kUpper;
    if (c >= '0' && c <= '9') kind = CharClass::kNumber;
    if (c == ' ' || (c >= 9 && c <= 13)) kind = CharClass::kSpace;
    table[static_cast<size_t>(c)] = c < 0x80 ? static_cast<uint8_t>(kind) : kMany;
  }
  return table;
}();

inline uint8_t ByteClass(const char* p) { return kByteClass[static_cast<unsigned char>(*p)]; }

inline ClassedChar At(const char* p, const char* end) {
  const uint8_t kind = ByteClass(p);
  if (kind != kMany) return {static_cast<CharClass>(kind), 1};
  return ClassAt(p, end);
}

// Bits of classes.
constexpr uint32_t Bit(CharClass kind) { return 1u << static_cast<uint32_t>(kind); }
constexpr uint32_t kLetters = Bit(CharClass::kUpper) | Bit(CharClass::kLower) | Bit(CharClass::kLetter);
constexpr uint32_t kNumbers = Bit(CharClass::kNumber);
constexpr uint32_t kOthers = Bit(CharClass::kOther) | Bit(CharClass::kMark);  // [^\s\p{L}\p{N}]

// The end of the run of characters of `classes` that goes on at p.
inline const char* RunEnd(const char* p, const char* end, uint32_t classes) {
  while (true) {
    // A shift by 31 for kMany reads a bit that no class has.
    while (p < end && (classes >> (ByteClass(p) & 31) & 1) != 0) ++p;
    if (p == end || ByteClass(p) != kMany) return p;
    const ClassedChar c = ClassAt(p, end);
    if ((classes & Bit(c.kind)) == 0) return p;
    p += c.length;
  }
}

// The piece of whitespace at p, where no other rule matched. `newlines`: up to the last CR or LF of the run
// (\s*[\r\n]+). `tail`: a run up to the end of the text is one piece, even so. Else all but the last, unless
// that is the only one (\s+(?!\S)|\s+).
template <bool newlines, bool tail>
inline const char* SpaceEnd(const char* p, const char* end) {
  const char* const begin = p;
  const char* last = p;
  const char* after_newline = nullptr;
  while (p < end) {
    const ClassedChar c = At(p, end);
    if (c.kind != CharClass::kSpace) break;
    last = p;
    p += c.length;
    if (newlines && (*last == '\n' || *last == '\r')) after_newline = p;
  }
  if (tail && p == end) return p;
  if (after_newline != nullptr) return after_newline;
  return p == end || last == begin ? p : last;
}

// The length of 's 't 'm 'd 're 've 'll at p in either case, or 0; *p is an apostrophe. U+017F is a small s.
inline size_t AnyCaseContraction(const char* p, const char* end) {
  if (end - p < 2) return 0;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  const char a = lower(p[1]);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - p < 3) return 0;
  if (p[1] == '\xc5' && p[2] == '\xbf') return 3;
  const char b = lower(p[2]);
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

}  // namespace galley::tokenizer::scan
