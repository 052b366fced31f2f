#include "runtime/data/gpt2_split.h"

#include <array>
#include <cstdint>

#include "runtime/data/unicode.h"

namespace galley::data {
namespace {

// Class of an ASCII byte, kMany for the bytes of longer characters.
constexpr uint8_t kMany = 4;
constexpr std::array<uint8_t, 256> kByteClass = [] {
  std::array<uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    CharClass kind = CharClass::kOther;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) kind = CharClass::kLetter;
    if (c >= '0' && c <= '9') kind = CharClass::kNumber;
    if (c == ' ' || (c >= 9 && c <= 13)) kind = CharClass::kSpace;
    table[static_cast<size_t>(c)] = c < 0x80 ? static_cast<uint8_t>(kind) : kMany;
  }
  return table;
}();

uint8_t ByteClass(const char* p) { return kByteClass[static_cast<unsigned char>(*p)]; }

ClassedChar At(const char* p, const char* end) {
  const uint8_t kind = ByteClass(p);
  if (kind != kMany) return {static_cast<CharClass>(kind), 1};
  return ClassAt(p, end);
}

// The end of the run of `kind` that goes on at p.
const char* RunEnd(const char* p, const char* end, CharClass kind) {
  while (true) {
    while (p < end && ByteClass(p) == static_cast<uint8_t>(kind)) ++p;
    if (p == end || ByteClass(p) != kMany) return p;
    const ClassedChar c = ClassAt(p, end);
    if (c.kind != kind) return p;
    p += c.length;
  }
}

// 's 't 'm 'd 're 've 'll: its length, or 0. *p is an apostrophe.
size_t Contraction(const char* p, const char* end) {
  if (end - p < 2) return 0;
  const char a = p[1];
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - p < 3) return 0;
  const char b = p[2];
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

}  // namespace

size_t Gpt2Piece(const char* p, const char* end) {
  const char* const begin = p;
  if (*p == '\'') {
    if (const size_t length = Contraction(p, end); length > 0) return length;
  }
  ClassedChar c = At(p, end);
  if (*p == ' ' && p + 1 < end) {
    // One space belongs to the run after it.
    const ClassedChar next = At(p + 1, end);
    if (next.kind != CharClass::kSpace) {
      c = next;
      ++p;
    }
  }
  if (c.kind != CharClass::kSpace) {
    return static_cast<size_t>(RunEnd(p + c.length, end, c.kind) - begin);
  }
  // Spaces: all of them at the end of the text, else all but the last, unless that is the only one.
  const char* last = p;
  p += c.length;
  while (p < end) {
    c = At(p, end);
    if (c.kind != CharClass::kSpace) break;
    last = p;
    p += c.length;
  }
  return static_cast<size_t>((p == end || last == begin ? p : last) - begin);
}

}  // namespace galley::data
