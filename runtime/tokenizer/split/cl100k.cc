#include "runtime/tokenizer/split/scan.h"
#include "runtime/tokenizer/split/split.h"

namespace galley::tokenizer {
namespace {

template <bool tail>
size_t Piece(const char* p, const char* end) {
  const char* const begin = p;
  const auto length = [begin](const char* at) { return static_cast<size_t>(at - begin); };
  if (*p == '\'') {
    if (const size_t found = scan::AnyCaseContraction(p, end); found > 0) return found;
  }
  const ClassedChar c = scan::At(p, end);
  const char* const second = p + c.length;
  if (IsLetter(c.kind)) return length(scan::RunEnd(second, end, scan::kLetters));
  if (c.kind == CharClass::kNumber) {
    p = second;
    for (int more = 0; more < 2 && p < end; ++more) {
      const ClassedChar next = scan::At(p, end);
      if (next.kind != CharClass::kNumber) break;
      p += next.length;
    }
    return length(p);
  }
  const ClassedChar next = second < end ? scan::At(second, end) : ClassedChar{CharClass::kNumber, 0};
  // One character that is no letter, number or line break belongs to the letters after it.
  if (IsLetter(next.kind) && *p != '\r' && *p != '\n') {
    return length(scan::RunEnd(second + next.length, end, scan::kLetters));
  }
  const bool other = (scan::kOthers & scan::Bit(c.kind)) != 0;
  if (other || (*p == ' ' && (scan::kOthers & scan::Bit(next.kind)) != 0)) {
    p = scan::RunEnd(second, end, scan::kOthers);
    while (p < end && (*p == '\r' || *p == '\n')) ++p;
    return length(p);
  }
  return length(scan::SpaceEnd<true, tail>(p, end));
}

}  // namespace

size_t Cl100kPiece(const char* p, const char* end) { return Piece<true>(p, end); }
size_t Llama3Piece(const char* p, const char* end) { return Piece<false>(p, end); }

}  // namespace galley::tokenizer
