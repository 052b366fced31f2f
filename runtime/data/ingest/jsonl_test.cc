#include "runtime/data/ingest/jsonl.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

std::string TextOf(absl::string_view line, absl::string_view key = "text") {
  std::string storage;
  const absl::StatusOr<absl::string_view> text = JsonText(line, key, storage);
  return text.ok() ? std::string(*text) : absl::StrCat("error ", text.status().message());
}

TEST(JsonTextTest, FindsTheStringUnderTheKey) {
  EXPECT_EQ(TextOf(R"({"text":"a b"})"), "a b");
  EXPECT_EQ(TextOf(" \t{ \"id\" : -1.5e+3 , \"text\" : \"\" } \r\n"), "");
  EXPECT_EQ(TextOf(R"({"meta":{"text":"no","l":[1,[],{},"x",true,false,null]},"text":"yes","z":0})"), "yes");
  EXPECT_EQ(TextOf(R"({"text":"first","text":"last"})"), "last");
  EXPECT_EQ(TextOf(R"({"content":"c","text":1})", "content"), "c");
  EXPECT_EQ(TextOf(R"({"te\u0078t":"by an escaped key"})"), "by an escaped key");
}

TEST(JsonTextTest, ResolvesEscapes) {
  EXPECT_EQ(TextOf(R"({"text":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83e\udd99 é"})"),
            "\"\\/\b\f\n\r\tAé€🦙 é");
  EXPECT_EQ(TextOf(R"({"text":"\u0000"})"), std::string(1, '\0'));
}

TEST(JsonTextTest, BadLinesNameTheColumn) {
  EXPECT_EQ(TextOf(""), "error 1: the line is not a JSON object");
  EXPECT_EQ(TextOf("[1]"), "error 1: the line is not a JSON object");
  EXPECT_EQ(TextOf("{\"text\":\"a\"} x"), "error 14: there is more after the object");
  EXPECT_EQ(TextOf("{\"a\":1}"), "error 8: the object has no key 'text'");
  EXPECT_EQ(TextOf("{\"text\":7}"), "error 9: the value of 'text' is not a string");
  EXPECT_EQ(TextOf("{\"text\":\"a"), "error 11: the string does not end");
  EXPECT_EQ(TextOf("{\"text\":\"a\\"), "error 12: the string does not end");
  EXPECT_EQ(TextOf("{\"text\":\"a\tb\"}"), "error 11: a control character in a string");
  EXPECT_EQ(TextOf("{\"text\":\"a\xff\"}"), "error 11: the text is not UTF-8");
  EXPECT_EQ(TextOf("{\"text\":\"a\\x\"}").substr(0, 31), "error 11: an unknown escape");
  EXPECT_EQ(TextOf("{\"text\":\"\\ud800\"}"), "error 10: half a surrogate pair");
  EXPECT_EQ(TextOf("{\"text\":\"\\udc00\\ud800\"}"), "error 10: half a surrogate pair");
  EXPECT_EQ(TextOf("{\"a\":[1,],\"text\":\"\"}"), "error 9: not a JSON value");
  EXPECT_EQ(TextOf("{\"a\":01,\"text\":\"\"}"), "error 7: ',' or '}' is missing");
  EXPECT_EQ(TextOf("{\"a\":1.,\"text\":\"\"}"), "error 8: digits are missing");
  EXPECT_EQ(TextOf("{\"a\":nul,\"text\":\"\"}"), "error 6: not a JSON value");
  EXPECT_EQ(TextOf("{\"a\":\"\\q\",\"text\":\"\"}"), "error 7: an unknown escape");
  EXPECT_EQ(TextOf("{\"text\":\"x\",}"), "error 13: a string is missing");
}

TEST(JsonTextTest, DepthIsBounded) {
  const auto nested = [](int levels) {
    return absl::StrCat("{\"a\":", std::string(static_cast<size_t>(levels), '['),
                        std::string(static_cast<size_t>(levels), ']'), ",\"text\":\"t\"}");
  };
  EXPECT_EQ(TextOf(nested(127)), "t");
  EXPECT_EQ(TextOf(nested(128)), "error 133: more than 128 levels");
  EXPECT_EQ(TextOf(nested(1000000)), "error 133: more than 128 levels");
}

}  // namespace
}  // namespace galley::data
