#include "runtime/tokenizer/split/scan.h"
#include "runtime/tokenizer/split/split.h"

namespace galley::tokenizer {
namespace {

// 's 't 'm 'd 're 've 'll: its length, or 0. *p is an apostrophe.
size_t Contraction(const char* p, const char* end) {
  if (end - p < 2) return 0;
  const char a = p[1];
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - p < 3) return 0;
  const char b = p[2];
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

uint32_t RunOf(CharClass kind) {
  if (IsLetter(kind)) return scan::kLetters;
  return kind == CharClass::kNumber ? scan::kNumbers : scan::kOthers;
}

}  // namespace

size_t Gpt2Piece(const char* p, const char* end) {
  const char* const begin = p;
  if (*p == '\'') {
    if (const size_t length = Contraction(p, end); length > 0) return length;
  }
  ClassedChar c = scan::At(p, end);
  if (*p == ' ' && p + 1 < end) {
    // One space belongs to the run after it.
    const ClassedChar next = scan::At(p + 1, end);
    if (next.kind != CharClass::kSpace) {
      c = next;
      ++p;
    }
  }
  if (c.kind != CharClass::kSpace) {
    return static_cast<size_t>(scan::RunEnd(p + c.length, end, RunOf(c.kind)) - begin);
  }
  return static_cast<size_t>(scan::SpaceEnd<false, false>(p, end) - begin);
}

}  // namespace galley::tokenizer
