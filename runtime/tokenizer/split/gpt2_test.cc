// Classes of characters and GPT-2's split, against the published pattern in PCRE2.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcre2.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "runtime/tokenizer/split/split.h"
#include "runtime/tokenizer/text/regex.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Pieces(const std::string& text) {
  std::vector<std::string> pieces;
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const size_t length = Gpt2Piece(p, end);
    pieces.emplace_back(p, length);
    p += length;
  }
  return pieces;
}

// The same pattern through PCRE2; \s is spelled out, since
// PCRE2's own takes U+180E, which White_Space does not.
class Oracle {
 public:
  Oracle() {
    const std::string s =
        "\\x{09}-\\x{0d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"
        "\\x{3000}";
    const std::string pattern = absl::StrCat("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^", s,
                                             "\\p{L}\\p{N}]+|[", s, "]+(?![^", s, "])|[", s, "]+");
    int error = 0;
    PCRE2_SIZE at = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                          &error, &at, nullptr);
    EXPECT_NE(code_, nullptr) << error << " at " << at;
    match_ = pcre2_match_data_create_from_pattern(code_, nullptr);
  }
  ~Oracle() {
    pcre2_match_data_free(match_);
    pcre2_code_free(code_);
  }
  std::vector<std::string> Pieces(const std::string& text) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const int found = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                    PCRE2_ANCHORED, match_, nullptr);
      EXPECT_GT(found, 0) << "no match at " << at;
      if (found <= 0) break;
      const size_t end = pcre2_get_ovector_pointer(match_)[1];
      pieces.push_back(text.substr(at, end - at));
      at = end;
    }
    return pieces;
  }

 private:
  pcre2_code* code_ = nullptr;
  pcre2_match_data* match_ = nullptr;
};

// A character that came after PCRE2's Unicode 14.
bool Later(char32_t code) {
  static const Regex unassigned = *Regex::Compile("\\p{Cn}", Regex::Dialect::kOniguruma);
  std::string c;
  AppendUtf8(code, c);
  bool found = false;
  EXPECT_TRUE(unassigned.ForEach(c, [&](size_t, size_t) { found = true; }).ok());
  return found;
}

TEST(UnicodeTest, ClassesAgreeWithPcre2OnEveryCharacter) {
  char version[32];
  pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version);
  if (std::string(version) != "14.0.0") GTEST_SKIP() << "PCRE2 here is of Unicode " << version;
  Oracle oracle;
  int spaces = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    // After an 'a', a letter joins it; a number, a space and
    // another begin pieces that "1", " " and "!" tell apart.
    std::string c;
    AppendUtf8(code, c);
    if (Later(code)) continue;
    const CharClass kind = ClassOf(code);
    spaces += kind == CharClass::kSpace;
    const char* const before = IsLetter(kind) ? "a" : kind == CharClass::kNumber ? "1" : "!";
    if (kind == CharClass::kSpace) {
      ASSERT_EQ(oracle.Pieces("a" + c + c + "a").size(), c == " " ? 3u : 4u) << std::hex << uint32_t{code};
    } else {
      ASSERT_EQ(oracle.Pieces(before + c).size(), 1u) << std::hex << uint32_t{code};
    }
  }
  EXPECT_EQ(spaces, 25);
}

TEST(Gpt2SplitTest, KnownPieces) {
  EXPECT_THAT(
      Pieces("Hello  world\n\n  foo(123) don't DON'T"),
      ElementsAre("Hello", " ", " world", "\n\n ", " foo", "(", "123", ")", " don", "'t", " DON", "'", "T"));
  EXPECT_THAT(Pieces("'s 's it's''ll"), ElementsAre("'s", " '", "s", " it", "'s", "''", "ll"));
  EXPECT_THAT(Pieces("   "), ElementsAre("   "));
  EXPECT_THAT(Pieces("a \n"), ElementsAre("a", " \n"));
  EXPECT_THAT(Pieces("a\u3000\u3000b"), ElementsAre("a", "\u3000", "\u3000", "b"));
  EXPECT_THAT(Pieces("\xff\xfe a\x80z"), ElementsAre("\xff\xfe", " a", "\x80", "z"));
}

TEST(Gpt2SplitTest, AgreesWithPcre2OnRandomText) {
  Oracle oracle;
  std::mt19937 random(11);
  const std::vector<std::string> alphabet = {
      " ",      " ",      "\n",     "\t",     "\r",     "'",      "s",          "t",
      "re",     "ll",     "e",      "v",      "d",      "m",      "A",          "z",
      "0",      "9",      "!",      "(",      "\u00e9", "\u65e5", "\u0661",     "\u00bd",
      "\u3000", "\u00a0", "\u0085", "\u180e", "\u200b", "\u0301", "\U0001f999", "\U0001d7d8"};
  for (int round = 0; round < 50000; ++round) {
    std::string text;
    for (size_t n = 1 + random() % 14; n > 0; --n) text += alphabet[random() % alphabet.size()];
    ASSERT_EQ(Pieces(text), oracle.Pieces(text)) << text;
  }
}

}  // namespace
}  // namespace galley::tokenizer
