// GPT-2's vocab.json and merges.txt: what they make of texts, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/tokenizer/testing.h"
#include "runtime/tokenizer/text/unicode.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// The visible character of a byte, as vocab.json writes it.
std::string Visible(int byte) {
  int next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool visible = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    const int code = visible ? b : next++;
    if (b != byte) continue;
    std::string out;
    AppendUtf8(static_cast<char32_t>(code), out);
    return out;
  }
  return "";
}

std::string Quoted(const std::string& token) {
  return absl::StrCat("\"", absl::StrReplaceAll(token, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

using Merges = std::vector<std::pair<std::string, std::string>>;

// A vocabulary of the 256 bytes (ids 0 to 255 in byte
// order) and the given merges, each of two written tokens.
struct SmallVocabulary {
  explicit SmallVocabulary(const Merges& merges) {
    for (int b = 0; b < 256; ++b) Add(Visible(b));
    for (const auto& [left, right] : merges) {
      absl::StrAppend(&merges_txt, left, " ", right, "\n");
      Add(left + right);
    }
  }
  void Add(const std::string& token) {
    if (!ids.emplace(token, static_cast<int>(ids.size())).second) return;
    absl::StrAppend(&entries, entries.empty() ? "" : ",", Quoted(token), ":", ids.size() - 1);
  }
  std::string json() const { return "{" + entries + "}"; }
  absl::StatusOr<std::unique_ptr<Tokenizer>> Make() const {
    return MakeGpt2Tokenizer(json(), merges_txt, "vocab.json", "merges.txt");
  }
  std::map<std::string, int> ids;
  std::string entries;
  std::string merges_txt = "#version: 0.2\n";
};

TEST(Gpt2TokenizerTest, AMillionBytesWithoutABreakTakeNoSquareOfTime) {
  const SmallVocabulary vocabulary({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}});
  const auto tokenizer = vocabulary.Make();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::string text(1 << 20, 'a');
  const std::vector<int32_t> ids = Encode(**tokenizer, text);
  EXPECT_EQ(ids.size(), text.size() / 8);
  EXPECT_EQ(Decode(**tokenizer, ids), text);
}

TEST(Gpt2TokenizerTest, SmallVocabularyMergesByRankAndComesBack) {
  const SmallVocabulary vocabulary({{"h", "e"}, {"l", "l"}, {"he", "ll"}, {"Ġ", "he"}});
  const auto tokenizer = vocabulary.Make();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(Encode(**tokenizer, "hell he hel"), ElementsAre(258, 259, 259, 'l'));
  EXPECT_FALSE((*tokenizer)->eod().has_value());
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t n = random() % 40; n > 0; --n) {
      text.push_back(static_cast<char>(random() % 3 == 0 ? random() % 256 : "hel "[random() % 4]));
    }
    EXPECT_EQ(Decode(**tokenizer, Encode(**tokenizer, text)), text);
  }
  std::string text;
  EXPECT_ERROR((*tokenizer)->Decode(std::vector<int32_t>{260}, text),
               "id 260 is outside its vocabulary of 260");
}

TEST(Gpt2TokenizerTest, AddedTokensDecodeButAreNotMadeFromText) {
  SmallVocabulary vocabulary(Merges{{"h", "e"}});
  vocabulary.Add("<|endoftext|>");
  vocabulary.Add("two words");
  const auto tokenizer = vocabulary.Make();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->eod(), 257);
  EXPECT_EQ(Decode(**tokenizer, {257, 258}), "<|endoftext|>two words");
  EXPECT_EQ(Encode(**tokenizer, "<|endoftext|>").size(), 13u);
}

TEST(Gpt2TokenizerTest, HostileFilesAreNamedWithTheirPosition) {
  const SmallVocabulary good(Merges{{"h", "e"}});
  const auto vocab = [&](const std::string& json) {
    return MakeGpt2Tokenizer(json, good.merges_txt, "v.json", "m.txt").status();
  };
  EXPECT_ERROR(vocab(""), "v.json: not JSON at byte 1");
  EXPECT_ERROR(vocab("[]"), "v.json: not a JSON object");
  EXPECT_ERROR(vocab("7"), "v.json: not a JSON object");
  EXPECT_ERROR(vocab("{}"), "v.json: no tokens");
  EXPECT_ERROR(vocab("{\"a\":{}}"), "the id of token 'a' is '{}', not a whole number");
  EXPECT_ERROR(vocab("{\"a\":\"b\"}"), "the id of token 'a' is '\\\"b\\\"'");
  EXPECT_ERROR(vocab("{\"a\":-1}"), "the id of token 'a' is '-1'");
  EXPECT_ERROR(vocab("{\"a\":1.5}"), "not a whole number");
  EXPECT_ERROR(vocab("{\"a\":0,\"a\":1}"), "the key \"a\" comes twice");
  EXPECT_ERROR(vocab("{\"a\":0,\"b\":0}"), "id 0 appears twice");
  EXPECT_ERROR(vocab("{\"a\":1}"), "ids must be 0 to 0");
  EXPECT_ERROR(vocab("{\"a\":4000000000}"),
               "the id of token 'a' is '4000000000', not a whole number from 0 to 4194303");
  EXPECT_ERROR(vocab("{\"a\":0}"), "the token of byte 0x00 is missing");
  EXPECT_ERROR(vocab("{\"a\":" + std::string(100000, '[')), "v.json: nested deeper than 16");
  const auto merges = [&](const std::string& text) {
    return MakeGpt2Tokenizer(good.json(), text, "v.json", "m.txt").status();
  };
  EXPECT_ERROR(merges("#version: 0.2\nh e\nhe"), "m.txt:3: 'he' is not two tokens");
  EXPECT_ERROR(merges("h e x"), "m.txt:1: 'h e x' is not two tokens");
  EXPECT_ERROR(merges("h zz"), "m.txt:1: token 'zz' is not in vocab.json");
  EXPECT_ERROR(merges("h h"), "m.txt:1: token 'hh' is not in vocab.json");
  EXPECT_ERROR(merges("h e\nh e"), "m.txt:2: merge 'h e' appears twice");
  EXPECT_ERROR(merges(" e"), "m.txt:1: token '' is not in vocab.json");
  EXPECT_TRUE(merges("").ok());
}

// Ids of the published GPT-2 tokenizer.
TEST(Gpt2TokenizerTest, GoldenIdsOfTheRealVocabulary) {
  const std::string vocab = SharedFile("data/tokenizers/gpt2/vocab.json");
  if (vocab.empty()) GTEST_SKIP() << "no GPT-2 vocabulary on this machine";
  const auto tokenizer = MakeTokenizer({.kind = TokenizerKind::kGpt2,
                                        .vocab = vocab,
                                        .merges = SharedFile("data/tokenizers/gpt2/merges.txt")});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab(), 50257);
  EXPECT_EQ((*tokenizer)->eod(), 50256);
  const std::vector<std::pair<std::string, std::vector<int32_t>>> golden = {
      {"Hello world", {15496, 995}},
      {" leading", {3756}},
      {"1234567", {10163, 2231, 3134}},
      {"   ", {220, 220, 220}},
      {"日本語 café 🦙", {33768, 98, 17312, 105, 45739, 252, 40304, 12520, 99, 247}},
      {"\t\ttabs\r\nCRLF  ", {197, 197, 8658, 82, 201, 198, 34, 7836, 37, 220, 220}},
      {"Hello  world\n\n  foo(123456) don't DON'T",
       {15496, 220, 995, 628, 220, 22944, 7, 10163, 29228, 8, 836, 470, 23917, 6, 51}},
      {"<|endoftext|> x", {27, 91, 437, 1659, 5239, 91, 29, 2124}},
  };
  for (const auto& [text, ids] : golden) {
    EXPECT_THAT(Encode(**tokenizer, text), ElementsAreArray(ids)) << text;
    EXPECT_EQ(Decode(**tokenizer, ids), text);
  }
  // Every token that is valid text comes back, alone and inside a text.
  std::string everything;
  for (int32_t id = 0; id < 50257; ++id) everything += Decode(**tokenizer, {id});
  EXPECT_EQ(Decode(**tokenizer, Encode(**tokenizer, everything)), everything);
}

}  // namespace
}  // namespace galley::tokenizer
