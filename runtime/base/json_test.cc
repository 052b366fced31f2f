#include "runtime/base/json.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace galley {
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

TEST(Json, NumbersAreReadAsTheNearestDouble) {
  const Json json = *ParseJson(R"([3,1e-4,0.1,18446744073709551615,1.7976931348623157e308,5e-324,"1",null])");
  std::vector<std::optional<double>> numbers;
  for (const Json& item : json.items) numbers.push_back(item.Number());
  EXPECT_THAT(numbers, testing::ElementsAre(3.0, 1e-4, 0.1, 18446744073709551615.0, 1.7976931348623157e308,
                                            5e-324, std::nullopt, std::nullopt));
}

TEST(JsonReaderTest, ReadsTypedMembersAndListItems) {
  const Json json = *ParseJson(R"({"b":true,"d":1.5,"w":2,"t":"x","i":-3,"l":[1,2]})");
  JsonReader reader(json);
  bool b = false;
  double d = 0, w = 0;
  std::string t;
  int64_t i = 0;
  reader.Read("b", b);
  reader.Read("d", d);
  reader.Read("w", w);
  reader.Read("t", t);
  reader.Read("i", i);
  EXPECT_EQ(reader.Items("l", 2).size(), 2u);
  EXPECT_TRUE(reader.status().ok()) << reader.status();
  EXPECT_TRUE(b);
  EXPECT_EQ(d, 1.5);
  EXPECT_EQ(w, 2);
  EXPECT_EQ(t, "x");
  EXPECT_EQ(i, -3);
}

TEST(JsonReaderTest, KeepsTheFirstFaultWithItsPath) {
  const Json json = *ParseJson(R"({"t":"x","i":7,"big":9223372036854775808,"l":[1,2]})");
  const auto fault = [&](auto&& read) {
    JsonReader reader(json, "sources[3]");
    read(reader);
    std::string second;
    reader.Read("t", second);
    EXPECT_EQ(second, "");  // nothing is read after a fault
    EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss);
    return std::string(reader.status().message());
  };
  int64_t i = 1;
  bool b = false;
  EXPECT_EQ(fault([&](JsonReader& r) { r.Read("none", i); }), "sources[3].none is missing");
  EXPECT_EQ(fault([&](JsonReader& r) { r.Read("t", i); }), "sources[3].t is not a whole number");
  EXPECT_EQ(fault([&](JsonReader& r) { r.Read("big", i); }), "sources[3].big is not a whole number");
  EXPECT_EQ(fault([&](JsonReader& r) { r.Read("i", i, 8, 9); }), "sources[3].i is 7, outside 8 to 9");
  EXPECT_EQ(fault([&](JsonReader& r) { r.Read("i", b); }), "sources[3].i is not true or false");
  EXPECT_EQ(fault([&](JsonReader& r) { r.Items("l", 1); }), "sources[3].l is too long");
  EXPECT_EQ(fault([&](JsonReader& r) { r.Items("t", 1); }), "sources[3].t is not a list");
  EXPECT_EQ(i, 1);
  EXPECT_EQ(JsonReader(json.Find("l")->items[0], "l[0]").status().message(), "l[0] is not a JSON object");
}

}  // namespace
}  // namespace galley
