#include "runtime/data/unicode.h"

#include <vector>

namespace galley::data {
namespace {

struct ClassRange {
  uint32_t first;
  uint32_t last;
  CharClass kind;
};

constexpr CharClass L = CharClass::kLetter;
constexpr CharClass N = CharClass::kNumber;
constexpr CharClass S = CharClass::kSpace;
constexpr ClassRange kRanges[] = {
#include "runtime/data/unicode_ranges.inc"
};

// Two bits a code point: 272 KiB, of which a text touches the few pages of its script.
class ClassTable {
 public:
  ClassTable() : bits_(0x110000 / 4, 0) {
    for (const ClassRange& range : kRanges) {
      for (uint32_t code = range.first; code <= range.last; ++code) {
        bits_[code / 4] |= static_cast<uint8_t>(static_cast<uint8_t>(range.kind) << code % 4 * 2);
      }
    }
  }
  CharClass At(char32_t code) const { return static_cast<CharClass>(bits_[code / 4] >> code % 4 * 2 & 3); }

 private:
  std::vector<uint8_t> bits_;
};

const ClassTable& Table() {
  static const ClassTable table;
  return table;
}

}  // namespace

CharClass ClassOf(char32_t code) { return Table().At(code); }

ClassedChar ClassAt(const char* p, const char* end) {
  const Utf8Char c = DecodeUtf8(p, end);
  if (c.length == 0) return {};
  return {ClassOf(c.code), c.length};
}

void AppendUtf8(char32_t code, std::string& out) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace galley::data
