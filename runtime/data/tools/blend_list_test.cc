#include "runtime/data/tools/blend_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/data/store/testing.h"
#include "runtime/data/tools/blend_weights.h"

namespace galley::data {
namespace {

using ::testing::ElementsAre;

TEST(BlendListTest, DataPathWithAndWithoutWeights) {
  const BlendList weighted = *ParseDataPath("0.3 a\n 0.7\tb ", "x");
  EXPECT_TRUE(weighted.weighted);
  EXPECT_THAT(weighted.entries, ElementsAre(BlendEntry{"a", 0.3}, BlendEntry{"b", 0.7}));
  EXPECT_THAT(ParseDataPath("1e-3 a 1_000 b", "x")->entries,
              ElementsAre(BlendEntry{"a", 0.001}, BlendEntry{"b", 1000}));
  // One with a weight is a blend of one; without, it is none.
  EXPECT_TRUE(ParseDataPath("1 a", "x")->weighted);
  EXPECT_FALSE(ParseDataPath("a", "x")->weighted);
  EXPECT_THAT(ParseDataPath("a b c", "x")->entries,
              ElementsAre(BlendEntry{"a"}, BlendEntry{"b"}, BlendEntry{"c"}));
  EXPECT_FALSE(ParseDataPath("a b", "x")->weighted);
  // A weight of zero is one.
  EXPECT_EQ(ParseDataPath("0 a 1 b", "x")->entries[0].weight, 0);
}

TEST(BlendListTest, EveryMixtureIsRefused) {
  EXPECT_ERROR(ParseDataPath("0.3 a b c", "F").status(),
               "F: item 1, '0.3', is a number, but the items are not");
  EXPECT_ERROR(ParseDataPath("a b 0.3 c", "F").status(), "item 3, '0.3'");
  EXPECT_ERROR(ParseDataPath("0.3 a 0.7", "F").status(), "a weight for every prefix or for none");
  EXPECT_ERROR(ParseDataPath("a 0.3 b 0.7", "F").status(), "item 2, '0.3'");
  EXPECT_ERROR(ParseDataPath("nan a", "F").status(), "a weight of nan; it must be a finite number");
  EXPECT_ERROR(ParseDataPath("-1 a", "F").status(), "a weight of -1");
  EXPECT_ERROR(ParseDataPath("inf a", "F").status(), "a weight of inf");
  EXPECT_ERROR(ParseDataPath(" \n", "F").status(), "F: no data set is named");
  // No numbers to Python: hexadecimal, a lone underscore, letters behind.
  for (const char* text : {"0x10", "1_", "_1", "1__0", "1.0f", "nan(1)", ""})
    EXPECT_FALSE(ParseWeight(text)) << text;
  for (const char* text : {"1", "1.", ".5", "1E5", "+2", "1_0.5"}) EXPECT_TRUE(ParseWeight(text)) << text;
}

TEST(BlendListTest, PerSplitJson) {
  const SplitBlends blends =
      *ParsePerSplit(R"({"train": ["0.25", "a b", "0.75", "c"], "valid": "d  e f", "test": null})", "F");
  EXPECT_THAT(blends.train->entries, ElementsAre(BlendEntry{"a b", 0.25}, BlendEntry{"c", 0.75}));
  EXPECT_THAT(blends.valid->entries, ElementsAre(BlendEntry{"d"}, BlendEntry{"e"}, BlendEntry{"f"}));
  EXPECT_FALSE(blends.test.has_value());
  EXPECT_ERROR(ParsePerSplit(R"({"train": "a", "valid": null})", "F").status(),
               "F: the key \"test\" is missing");
  EXPECT_ERROR(ParsePerSplit(R"({"train": [0.5, "a"], "valid": null, "test": null})", "F").status(),
               "F: train: an item is not a string");
  EXPECT_ERROR(ParsePerSplit(R"({"train": 1, "valid": null, "test": null})", "F").status(),
               "F: train: neither a list");
  EXPECT_ERROR(ParsePerSplit(R"({"train": "1 a b c", "valid": null, "test": null})", "F").status(),
               "F: train: item 1");
  EXPECT_ERROR(ParsePerSplit("[", "F").status(), "F: not JSON at byte");
  EXPECT_ERROR(ParsePerSplit("[]", "F").status(), "F: not a JSON object");
}

TEST(BlendListTest, ThreeColumns) {
  const BlendList list = *ParseFileList(
      "0.0031025147279277244 /d/books-0000_text_document books\n\n  2 /d/web.bin web\r\n3 /d/x.bin.old web",
      "F");
  EXPECT_TRUE(list.weighted);
  EXPECT_THAT(list.entries,
              ElementsAre(BlendEntry{"/d/books-0000_text_document", 0.0031025147279277244, "books"},
                          BlendEntry{"/d/web", 2, "web"}, BlendEntry{"/d/x", 3, "web"}));
  EXPECT_ERROR(ParseFileList("1 a x\n1 a\n", "F").status(),
               "F:2: 2 fields; a line is a weight, a prefix and a corpus");
  EXPECT_ERROR(ParseFileList("1 a x y\n", "F").status(), "F:1: 4 fields");
  EXPECT_ERROR(ParseFileList("one a x\n", "F").status(), "F:1: a weight of 'one'");
  EXPECT_ERROR(ParseFileList("1 .bin x\n", "F").status(), "leaves no prefix");
  EXPECT_ERROR(ParseFileList("\n", "F").status(), "F: no line names a data set");
}

class WeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteDataset(Path("a"), {100});
    WriteDataset(Path("b"), {200, 100});
    WriteDataset(Path("none"), {0});
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  BlendList List(const std::string& text) const {
    std::string replaced;
    for (const char c : text) {
      if (c == '@')
        absl::StrAppend(&replaced, dir_.path(), "/");
      else
        replaced += c;
    }
    return *ParseDataPath(replaced, "x");
  }
  TempDir dir_;
};

TEST_F(WeightsTest, GivenWeightsStayTheNumbersTheyAre) {
  const WeighedBlend blend = *WeighBlend(List("0.3 @a 0.9 @b 0 @a"), {.tokens = 800});
  ASSERT_EQ(blend.sources.size(), 2u);
  EXPECT_EQ(blend.sources[0].weight, 0.3);
  EXPECT_EQ(blend.sources[1].weight, 0.9);
  EXPECT_NEAR(blend.sources[0].share, 0.25, 1e-12);
  EXPECT_NEAR(*blend.sources[0].epochs, 2, 1e-12);
  EXPECT_NEAR(*blend.sources[1].epochs, 2, 1e-12);
  EXPECT_THAT(blend.left_out, ElementsAre(Path("a")));
  EXPECT_FALSE(WeighBlend(List("0.3 @a"), {})->sources[0].epochs.has_value());
}

TEST_F(WeightsTest, BySizeTemperatureAndEpochs) {
  EXPECT_EQ(WeighBlend(List("@a @b"), {})->sources[1].weight, 0.75);
  EXPECT_EQ(WeighBlend(List("9 @a 1 @b"), {.alpha = 0})->sources[1].weight, 0.5);
  EXPECT_NEAR(WeighBlend(List("@a @b"), {.alpha = 0.5})->sources[1].weight, std::sqrt(3) / (1 + std::sqrt(3)),
              1e-12);
  const WeighedBlend epochs = *WeighBlend(List("@a @b"), {.epochs = {{Path("a"), 6}, {"", 2}}});
  EXPECT_EQ(epochs.tokens, 1200);
  EXPECT_EQ(epochs.sources[0].weight, 0.5);
  EXPECT_NEAR(*epochs.sources[0].epochs, 6, 1e-12);
  EXPECT_NEAR(*epochs.sources[1].epochs, 2, 1e-12);
  BlendList corpora = List("1 @a 1 @b");
  corpora.entries[1].corpus = "web";
  EXPECT_EQ(WeighBlend(corpora, {.epochs = {{"web", 1.0 / 3}}})->sources[1].weight, 0.5);
}

TEST_F(WeightsTest, WhatMakesNoBlendIsNamed) {
  EXPECT_ERROR(WeighBlend(List("@a"), {.alpha = 1, .epochs = {{"", 2}}}).status(), "give one of them");
  EXPECT_ERROR(WeighBlend(List("@a"), {.alpha = -1}).status(), "alpha is -1");
  EXPECT_ERROR(WeighBlend(List("@a"), {.epochs = {{"web", 2}}}).status(), "no source or corpus of that name");
  EXPECT_ERROR(WeighBlend(List("@a"), {.epochs = {{"", -2}}}).status(), "-2 epochs");
  EXPECT_ERROR(WeighBlend(List("@none"), {}).status(), "none.bin: it holds no token");
  EXPECT_ERROR(WeighBlend(List("0 @a"), {}).status(), "every source has weight 0");
  EXPECT_ERROR(WeighBlend(List("1e308 @a 1e308 @b"), {}).status(), "their sum is beyond a number");
  EXPECT_ERROR(WeighBlend(List("@missing"), {}).status(), "missing.idx: no such file");
}

TEST(NumberTextTest, ReadsBackAsTheSame) {
  for (const double value : {0.1, 1.0 / 3, 0.0031025147279277244, 1e-300, 2.0, 12345678.9}) {
    EXPECT_EQ(std::stod(NumberText(value)), value);
  }
  EXPECT_EQ(NumberText(0.3), "0.3");
}

}  // namespace
}  // namespace galley::data
