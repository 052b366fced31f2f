#include "runtime/tokenizer/text/unicode.h"

#include <map>
#include <vector>

namespace galley::tokenizer {
namespace {

struct Run {
  uint32_t length;
  Category category;
  uint8_t age;  // 8, 9 or 16: the version of Unicode that it came with, at the latest
};

bool WhiteSpace(char32_t code) {
  return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

CharClass ClassFrom(char32_t code, Category category) {
  switch (category) {
    case Category::Lu:
    case Category::Lt:
      return CharClass::kUpper;
    case Category::Ll:
      return CharClass::kLower;
    case Category::Lm:
    case Category::Lo:
      return CharClass::kLetter;
    case Category::Mc:
    case Category::Me:
    case Category::Mn:
      return CharClass::kMark;
    case Category::Nd:
    case Category::Nl:
    case Category::No:
      return CharClass::kNumber;
    default:
      return WhiteSpace(code) ? CharClass::kSpace : CharClass::kOther;
  }
}

// A byte a code point in pages of 256, equal pages held once: a text touches the few pages of its script.
class PagedTable {
 public:
  explicit PagedTable(const std::string& bytes) {
    std::map<std::string, uint16_t> seen;
    for (size_t page = 0; page < pages_.size(); ++page) {
      const std::string content = bytes.substr(page * 256, 256);
      const auto [at, added] = seen.emplace(content, static_cast<uint16_t>(seen.size()));
      if (added) bytes_.insert(bytes_.end(), content.begin(), content.end());
      pages_[page] = at->second;
    }
  }
  uint8_t At(char32_t code) const { return bytes_[size_t{pages_[code >> 8]} << 8 | (code & 0xff)]; }

 private:
  std::array<uint16_t, 0x1100> pages_{};
  std::vector<uint8_t> bytes_;
};

struct Tables {
  PagedTable classes;
  PagedTable properties;  // category | age flag << 5: 0, 1, 2 for 8, 9, 16
};

const Tables& AllTables() {
  static const Tables tables = [] {
    static constexpr auto Cc = Category::Cc, Cf = Category::Cf, Cn = Category::Cn, Co = Category::Co,
                          Cs = Category::Cs, Ll = Category::Ll, Lm = Category::Lm, Lo = Category::Lo,
                          Lt = Category::Lt, Lu = Category::Lu, Mc = Category::Mc, Me = Category::Me,
                          Mn = Category::Mn, Nd = Category::Nd, Nl = Category::Nl, No = Category::No,
                          Pc = Category::Pc, Pd = Category::Pd, Pe = Category::Pe, Pf = Category::Pf,
                          Pi = Category::Pi, Po = Category::Po, Ps = Category::Ps, Sc = Category::Sc,
                          Sk = Category::Sk, Sm = Category::Sm, So = Category::So, Zl = Category::Zl,
                          Zp = Category::Zp, Zs = Category::Zs;
    static constexpr Run kRuns[] = {
#include "runtime/tokenizer/text/unicode_table.inc"
    };
    std::string classes, properties;
    for (const Run& run : kRuns) {
      const uint8_t age = run.age == 8 ? 0 : run.age == 9 ? 1 : 2;
      for (uint32_t i = 0; i < run.length; ++i) {
        const auto code = static_cast<char32_t>(classes.size());
        classes.push_back(static_cast<char>(ClassFrom(code, run.category)));
        properties.push_back(static_cast<char>(static_cast<uint8_t>(run.category) | age << 5));
      }
    }
    return Tables{PagedTable(classes), PagedTable(properties)};
  }();
  return tables;
}

}  // namespace

CharClass ClassOf(char32_t code) { return static_cast<CharClass>(AllTables().classes.At(code)); }

Category CategoryOf(char32_t code) { return static_cast<Category>(AllTables().properties.At(code) & 0x1f); }

bool NotAfterUnicode8(char32_t code) { return AllTables().properties.At(code) >> 5 == 0; }

bool NotAfterUnicode9(char32_t code) { return AllTables().properties.At(code) >> 5 <= 1; }

bool IsSpace(char32_t code) { return WhiteSpace(code); }

bool IsPunctuation(char32_t code) {
  const Category category = CategoryOf(code);
  return category >= Category::Pc && category <= Category::Ps;
}

bool IsWord(char32_t code) {
  const CharClass kind = ClassOf(code);
  if (IsLetter(kind) || kind == CharClass::kMark) return true;
  const Category category = CategoryOf(code);
  return category == Category::Nd || category == Category::Nl || category == Category::Pc || code == 0x200c ||
         code == 0x200d || (code >= 0x24b6 && code <= 0x24e9) || (code >= 0x1f130 && code <= 0x1f149) ||
         (code >= 0x1f150 && code <= 0x1f169) || (code >= 0x1f170 && code <= 0x1f189);
}

ClassedChar ClassAt(const char* p, const char* end) {
  const Utf8Char c = DecodeUtf8(p, end);
  if (c.length == 0) return {};
  return {ClassOf(c.code), c.length};
}

std::string ReplaceInvalidUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const Utf8Char c = CharAt(p, end);
    AppendUtf8(c.code, out);
    p += c.length;
  }
  return out;
}

}  // namespace galley::tokenizer
