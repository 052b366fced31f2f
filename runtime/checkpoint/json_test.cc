#include "runtime/checkpoint/json.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace galley::checkpoint {
namespace {

using testing::HasSubstr;

TEST(Json, ReadsAndWritesBackWhatItRead) {
  const std::string text =
      R"({"a":[1,-9223372036854775808,1e-4,18446744073709551615],"b":{"c":null,"d":true},"é\"\\":"x\u0001"})";
  auto json = ParseJson(text);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->Dump(), text);
}

TEST(Json, RefusesWhatTwoReadersCouldReadDifferently) {
  EXPECT_THAT(ParseJson(R"({"a":1,"b":{"x":1,"x":2}})").status().message(), HasSubstr("\"x\" comes twice"));
  // The same key, escaped.
  EXPECT_FALSE(ParseJson(R"({"a":1,"\u0061":2})").ok());
  for (const char* text : {"", "{", "{}x", "[1,]", "{'a':1}", "nul", "\"\xff\"", "[1e999]", "// c\n{}"}) {
    EXPECT_FALSE(ParseJson(text).ok()) << text;
  }
}

TEST(Json, BoundsDepthAndCount) {
  const std::string deep = std::string(100000, '[');
  EXPECT_THAT(ParseJson(deep).status().message(), HasSubstr("nested deeper than 16"));
  EXPECT_TRUE(ParseJson("[[1]]", {.depth = 2}).ok());
  EXPECT_FALSE(ParseJson("[[[]]]", {.depth = 2}).ok());
  std::string many = "[0";
  for (int i = 0; i < 100; ++i) many += ",0";
  EXPECT_TRUE(ParseJson(many + "]", {.values = 102}).ok());
  EXPECT_FALSE(ParseJson(many + "]", {.values = 101}).ok());
}

}  // namespace
}  // namespace galley::checkpoint
