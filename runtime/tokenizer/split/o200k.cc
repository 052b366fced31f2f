#include "runtime/tokenizer/split/scan.h"
#include "runtime/tokenizer/split/split.h"

namespace galley::tokenizer {
namespace {

constexpr uint32_t kBoth = scan::Bit(CharClass::kLetter) | scan::Bit(CharClass::kMark);
constexpr uint32_t kUpperish = kBoth | scan::Bit(CharClass::kUpper);
constexpr uint32_t kLowerish = kBoth | scan::Bit(CharClass::kLower);

// The end of U*W+ at p, else null; U = upperish, W = lowerish. When no character of W follows U*, the pattern
// gives back characters of U up to the last that is in W as well.
const char* Lower(const char* p, const char* end) {
  const char* after_both = nullptr;
  while (p < end) {
    const ClassedChar c = scan::At(p, end);
    const uint32_t bit = scan::Bit(c.kind);
    if ((kUpperish & bit) == 0) {
      if (c.kind == CharClass::kLower) return scan::RunEnd(p + c.length, end, kLowerish);
      break;
    }
    p += c.length;
    if ((kBoth & bit) != 0) after_both = p;
  }
  return after_both;
}

// The end of U+W* at p where Lower found nothing, so that all of it is capitals; else null.
const char* Upper(const char* p, const char* end) {
  const char* const after = scan::RunEnd(p, end, kUpperish);
  return after > p ? after : nullptr;
}

// Most words: a space or none, a capital or none, small letters, all of one byte at the beginning. Else null.
inline const char* PlainWord(const char* p, const char* end) {
  if (*p == ' ') ++p;
  if (p < end && scan::ByteClass(p) == static_cast<uint8_t>(CharClass::kUpper)) ++p;
  if (p == end || scan::ByteClass(p) != static_cast<uint8_t>(CharClass::kLower)) return nullptr;
  return scan::RunEnd(p + 1, end, kLowerish);
}

// The end of the word at p: a character that is no letter, number or line break, then letters and marks.
const char* Word(const char* p, const char* end, const ClassedChar& first) {
  if (IsLetter(first.kind)) {
    if (const char* after = Lower(p, end)) return after;
    return Upper(p, end);
  }
  if (first.kind == CharClass::kNumber || *p == '\r' || *p == '\n' || p + first.length == end) {
    return first.kind == CharClass::kMark ? p + first.length : nullptr;
  }
  const char* const second = p + first.length;
  if (const char* after = Lower(second, end)) return after;
  if (first.kind == CharClass::kMark) return Lower(p, end);  // a mark is a letter of a word as well
  return Upper(second, end);
}

template <bool contractions, int numbers>
size_t Piece(const char* p, const char* end) {
  const char* const begin = p;
  const auto length = [begin](const char* at) { return static_cast<size_t>(at - begin); };
  const ClassedChar c = scan::At(p, end);
  const char* const plain = PlainWord(p, end);
  if (const char* after = plain != nullptr ? plain : Word(p, end, c)) {
    if (contractions && after < end && *after == '\'') after += scan::AnyCaseContraction(after, end);
    return length(after);
  }
  p += c.length;
  if (c.kind == CharClass::kNumber) {
    for (int more = 1; more < numbers && p < end; ++more) {
      const ClassedChar next = scan::At(p, end);
      if (next.kind != CharClass::kNumber) break;
      p += next.length;
    }
    return length(p);
  }
  const bool other = (scan::kOthers & scan::Bit(c.kind)) != 0;
  if (other || (*begin == ' ' && p < end && (scan::kOthers & scan::Bit(scan::At(p, end).kind)) != 0)) {
    p = scan::RunEnd(p, end, scan::kOthers);
    while (p < end && (*p == '\r' || *p == '\n' || *p == '/')) ++p;
    return length(p);
  }
  return length(scan::SpaceEnd<true, false>(begin, end));
}

}  // namespace

size_t O200kPiece(const char* p, const char* end) { return Piece<true, 3>(p, end); }
size_t TekkenPiece(const char* p, const char* end) { return Piece<false, 1>(p, end); }

}  // namespace galley::tokenizer
