#include "runtime/base/utf8.h"

#include <gtest/gtest.h>

namespace galley {
namespace {

TEST(Utf8Test, EveryCodePointComesBackAtEveryLength) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    std::string text;
    AppendUtf8(code, text);
    const Utf8Char c = DecodeUtf8(text.data(), text.data() + text.size());
    ASSERT_EQ(c.code, code);
    ASSERT_EQ(static_cast<size_t>(c.length), text.size());
    // Cut before its end it is no character, and only its first byte begins one.
    if (text.size() > 1) {
      ASSERT_EQ(DecodeUtf8(text.data(), text.data() + text.size() - 1).length, 0);
    }
    for (size_t i = 0; i < text.size(); ++i) ASSERT_EQ(ContinuesUtf8(text[i]), i > 0);
  }
}

TEST(Utf8Test, OverlongFormsSurrogatesAndHigherCodesAreInvalid) {
  for (const char* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
                           "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xff",
                           "a\xc3", "\xc3(", "\xe0\x80\x80", "\xe2\x82", "\xf0\x80\x80\x80"}) {
    EXPECT_FALSE(IsValidUtf8(text)) << testing::PrintToString(text);
  }
  for (const char* text : {"", "a", "\xc2\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace galley
