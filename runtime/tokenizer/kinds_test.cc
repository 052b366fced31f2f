// The kinds that are read from one file: what their files may hold, what is refused, and framing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/tokenizer/framing.h"
#include "runtime/tokenizer/testing.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/support/paths.h"

namespace galley::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A tokenizer.json of characters; `extra` members stand before the model, `model` in it.
std::string Json(absl::string_view extra, absl::string_view model = "") {
  return absl::StrCat(R"({"version":"1.0",)", extra, R"("model":{"type":"BPE",)", model,
                      R"("vocab":{"<unk>":0,"a":1,"b":2,"ab":3,"c":4,"▁":5,"▁a":6,"<0xC3>":7,"<0xA9>":8},)",
                      R"("merges":["a b",["▁","a"]]}})");
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Make(const std::string& json, const TokenizerSpec& spec = {}) {
  return MakeHuggingFaceTokenizer(json, "t.json", spec);
}

TEST(HuggingFaceTest, MergesComeAsTextsOrPairs) {
  const auto t = Make(Json(""));
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT(Encode(**t, "abc▁a"), ElementsAre(3, 4, 6));
  // Without a type, the model is told by its merges.
  EXPECT_TRUE(Make(absl::StrReplaceAll(Json(""), {{R"("type":"BPE",)", ""}})).ok());
}

TEST(HuggingFaceTest, UnknownCharactersAreDroppedFusedOrBytes) {
  EXPECT_THAT(Encode(**Make(Json("")), "axxb"), ElementsAre(3));
  EXPECT_THAT(Encode(**Make(Json("", R"("unk_token":"<unk>",)")), "axxb"), ElementsAre(1, 0, 0, 2));
  EXPECT_THAT(Encode(**Make(Json("", R"("unk_token":"<unk>","fuse_unk":true,)")), "axxb"),
              ElementsAre(1, 0, 2));
  EXPECT_THAT(Encode(**Make(Json("", R"("byte_fallback":true,"unk_token":"<unk>",)")), "aé\xe2\x82\xac"),
              ElementsAre(1, 7, 8, 0));
}

TEST(HuggingFaceTest, WholePiecesComeFirstWhereMergesAreIgnored) {
  const std::string model = R"({"version":"1.0","model":{"type":"BPE","ignore_merges":true,
    "vocab":{"a":0,"b":1,"c":2,"abc":3},"merges":[]}})";
  EXPECT_THAT(Encode(**Make(model), "abc"), ElementsAre(3));
  EXPECT_THAT(Encode(**Make(absl::StrReplaceAll(model, {{"true", "false"}})), "abc"), ElementsAre(0, 1, 2));
}

constexpr absl::string_view kAdded =
    R"("added_tokens":[{"id":77,"content":"<s>","special":true,"normalized":false},)"
    R"({"id":3,"content":"<w>","special":false,"normalized":false,"single_word":true},)"
    R"({"id":9,"content":"<l>","special":false,"normalized":false,"lstrip":true,"rstrip":true}],)";

TEST(HuggingFaceTest, AddedTokensTakeTheNextIdsWhateverTheFileSays) {
  const auto t = Make(Json(kAdded), {.special_tokens_in_text = true});
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_EQ((*t)->vocab(), 12);
  EXPECT_THAT(Encode(**t, "a<s>b"), ElementsAre(1, 9, 2));
  EXPECT_THAT(Encode(**t, "a<w>b"), ElementsAre(3));  // inside a word it is text; its characters are unknown
  EXPECT_THAT(Encode(**t, "a <w> b"), ElementsAre(1, 10, 2));
  EXPECT_THAT(Encode(**t, "a  <l>\n b"), ElementsAre(1, 11, 2));
}

TEST(HuggingFaceTest, SpecialTokensInATextAreTextUnlessAskedFor) {
  EXPECT_THAT(Encode(**Make(Json(kAdded)), "a<s>c"), ElementsAre(1, 4));
  EXPECT_THAT(Encode(**Make(Json(kAdded)), "a <w> c"), ElementsAre(1, 10, 4));  // it is not special
}

TEST(HuggingFaceTest, TheTemplateIsTheFrame) {
  const std::string post =
      R"("post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing",
      "single":[{"SpecialToken":{"id":"<unk>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
      {"SpecialToken":{"id":"E","type_id":0}}],"pair":[],
      "special_tokens":{"<unk>":{"id":"<unk>","ids":[0],"tokens":["<unk>"]},"E":{"id":"E","ids":[4,5],"tokens":[]}}}]},)";
  const auto t = Make(Json(post));
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->frame().before, ElementsAre(0));
  EXPECT_THAT((*t)->frame().after, ElementsAre(4, 5));
}

TEST(HuggingFaceTest, LlamaStyleTextComesBackInPartsToo) {
  const std::string llama =
      R"("normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
      {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
      "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
      {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},)";
  const auto t = Make(Json(llama, R"("byte_fallback":true,)"));
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT(Encode(**t, "ab aé"), ElementsAre(5, 3, 6, 7, 8));
  EXPECT_EQ(Decode(**t, {5, 3, 6, 7, 8}), "ab aé");
  EXPECT_EQ(Decode(**t, {5, 3}) + Decode(**t, {6, 7}, true) + Decode(**t, {8}, true), "ab aé");
  EXPECT_THAT(Encode(**t, ""), IsEmpty());
}

TEST(HuggingFaceTest, WhatIsNotSupportedIsNamedWithItsPosition) {
  const auto fails = [](const std::string& json) { return Make(json).status(); };
  EXPECT_ERROR(fails(Json(R"("normalizer":{"type":"Nmt"},)")), "t.json: normalizer: Nmt is not supported");
  EXPECT_ERROR(fails(Json(R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits"},
                              {"type":"UnicodeScripts"}]},)")),
               "t.json: pre_tokenizer.pretokenizers[1]: UnicodeScripts is not supported");
  EXPECT_ERROR(fails(Json(R"("decoder":{"type":"CTC"},)")), "decoder: CTC is not supported");
  EXPECT_ERROR(fails(Json(R"("truncation":{"max_length":512},)")), "truncation: documents are neither cut");
  EXPECT_ERROR(fails(Json("", R"("dropout":0.1,)")), "model.dropout: ");
  EXPECT_ERROR(fails(Json("", R"("end_of_word_suffix":"</w>",)")),
               "model.end_of_word_suffix: '</w>' is not supported");
  EXPECT_ERROR(fails(R"({"model":{"type":"Unigram","vocab":{}}})"), "model: Unigram is not supported");
  EXPECT_ERROR(
      fails(Json(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a&&b]"},"behavior":"Isolated"},)")),
      "pre_tokenizer.pattern: pattern [a&&b]: an intersection");
}

TEST(HuggingFaceTest, DamagedFilesAreNamedWithTheirPosition) {
  const auto fails = [](const std::string& json) { return Make(json).status(); };
  EXPECT_ERROR(fails("{"), "t.json: not JSON at byte");
  EXPECT_ERROR(fails("[]"), "t.json: not a JSON object");
  // Deep enough that whoever follows it by calling itself runs out of stack.
  EXPECT_ERROR(fails(Json(absl::StrCat(R"("normalizer":{"type":"NFC","x":)", std::string(400'000, '['),
                                       std::string(400'000, ']'), "},"))),
               "t.json: nested deeper than");
  EXPECT_ERROR(fails(R"({"version":"2.0"})"), "version: '2.0' is not 1.0");
  EXPECT_ERROR(fails(R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})"),
               "model.vocab: the id of token 'a'");
  EXPECT_ERROR(fails(R"({"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}})"), "id 0 appears twice");
  EXPECT_ERROR(fails(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a z"]}})"),
               "model.merges[0]: token 'z' is not in the vocabulary");
  EXPECT_ERROR(fails(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}})"), "is not two tokens");
  EXPECT_ERROR(fails(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}})"),
               "model.unk_token");
}

std::string Ranks(const std::vector<std::string>& words) {
  std::string out;
  int rank = 0;
  for (int b = 0; b < 256; ++b) {
    absl::StrAppend(&out, absl::Base64Escape(std::string(1, static_cast<char>(b))), " ", rank++, "\n");
  }
  for (const std::string& word : words) absl::StrAppend(&out, absl::Base64Escape(word), " ", rank++, "\n");
  return out;
}

TEST(TiktokenTest, TheLowestRankMergesAndWholePiecesComeFirst) {
  const auto t = MakeTiktokenTokenizer(Ranks({"bc", "ab", "abcd"}), "r", {.pattern = "llama3"});
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT(Encode(**t, "abc"), ElementsAre('a', 256));
  EXPECT_THAT(Encode(**t, "abcd"), ElementsAre(258));
  EXPECT_EQ((*t)->eod(), 260);  // <|end_of_text|>, after 259 ranks and <|begin_of_text|>
  EXPECT_THAT((*t)->frame().before, ElementsAre(259));
  EXPECT_THAT(Encode(**t, "<|end_of_text|>").size(), 15u);
}

TEST(TiktokenTest, FilesThatAreNoneAreNamed) {
  const auto fails = [](const std::string& text, const std::string& pattern = "llama3") {
    return MakeTiktokenTokenizer(text, "r", {.pattern = pattern}).status();
  };
  EXPECT_ERROR(fails(Ranks({}), ""), "this one is not known by its checksum");
  EXPECT_ERROR(fails("YQ== 0\n"), "r: the token of byte 0x00 is missing");
  EXPECT_ERROR(fails(Ranks({}) + "!! 256\n"), "r:257: ");
  EXPECT_ERROR(fails(Ranks({}) + "YWI= x\n"), "r:257: ");
  EXPECT_ERROR(fails(Ranks({"ab", "ab"})), "token 'ab' appears twice");
  EXPECT_ERROR(fails(Ranks({}) + "YWI= 5\n"), "id 5 appears twice");
  EXPECT_ERROR(fails(Ranks({}), "("), "r: pattern (: ");
  EXPECT_ERROR(fails(""), "no ranks");
}

TEST(WordPieceTest, WordsAreLowerCasePunctuationStandsAlone) {
  const auto t = MakeWordPieceTokenizer("[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##able\nhello\n,\n日\n", "v", {});
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT(Encode(**t, "Hello, UNABLE x日"), ElementsAre(6, 7, 4, 5, 1, 8));
  EXPECT_THAT((*t)->frame().before, ElementsAre(2));
  EXPECT_EQ(Decode(**t, {6, 7, 4, 5}), "hello, unable");
  EXPECT_ERROR(MakeWordPieceTokenizer("a\na\n", "v", {}).status(), "line 2: token 'a' appears twice");
  EXPECT_ERROR(MakeWordPieceTokenizer("a\n", "v", {}).status(), "token [UNK] is missing");
}

TEST(SentencePieceTest, FilesThatAreNoneAreNamed) {
  EXPECT_ERROR(MakeSentencePieceTokenizer("", "m", {}).status(), "m: no pieces");
  EXPECT_ERROR(MakeSentencePieceTokenizer("hello", "m", {}).status(), "m: it is not a SentencePiece model");
  EXPECT_ERROR(MakeSentencePieceTokenizer(std::string("\x0a\x03\x0a\x01") + "a", "m", {}).status(),
               "no piece is the unknown one");
}

TEST(FramingTest, SeparatorsThatWouldStandTwiceAreRefused) {
  const std::string bert = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n";
  const auto t = MakeWordPieceTokenizer(bert, "v", {.special_tokens_in_text = true});
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_ERROR(Framing::Make(**t, {.add_special_tokens = true, .append_eod = true}).status(),
               "documents would end twice");
  const auto framing = Framing::Make(**t, {.add_special_tokens = true, .append_eod = false});
  ASSERT_TRUE(framing.ok()) << framing.status();
  const auto encoder = (*t)->NewEncoder();
  std::vector<int32_t> ids;
  ASSERT_TRUE(framing->Encode(*encoder, "a a", ids).ok());
  ASSERT_TRUE(framing->Encode(*encoder, "", ids).ok());
  EXPECT_THAT(ids, ElementsAre(2, 4, 4, 3));
  EXPECT_ERROR(framing->Encode(*encoder, "[CLS] a", ids), "begins with the separator (id 2)");
  EXPECT_ERROR(framing->Encode(*encoder, "a [SEP]", ids), "ends with the separator (id 3)");
  EXPECT_ERROR(Framing::Make(*MakeByteTokenizer(), {.append_eod = true}).status(),
               "has no end-of-document id");
  EXPECT_ERROR(Framing::Make(*MakeByteTokenizer(), {.add_special_tokens = true}).status(), "has no template");
}

TEST(KindTest, AFileIsKnownByItsContents) {
  const std::string data = SourceDir() + "/tests/tokenizers/data/";
  EXPECT_EQ(ParseTokenizer(data + "llama3_style.json")->kind, TokenizerKind::kHuggingFace);
  EXPECT_EQ(ParseTokenizer(data + "spm_bpe.model")->kind, TokenizerKind::kSentencePiece);
  EXPECT_EQ(ParseTokenizer(data + "ranks.tiktoken")->kind, TokenizerKind::kTiktoken);
  EXPECT_EQ(ParseTokenizer(data + "bert_vocab.txt")->kind, TokenizerKind::kWordPiece);
  EXPECT_EQ(ParseTokenizer("tiktoken:cl100k:/x/y")->pattern, "cl100k");
  EXPECT_EQ(ParseTokenizer("tiktoken:/x/y")->file, "/x/y");
  EXPECT_ERROR(ParseTokenizer("/no/such.json").status(), "/no/such.json: no such file");
  EXPECT_ERROR(ParseTokenizer(data + "golden.json.none").status(), "no such file");
}

}  // namespace
}  // namespace galley::tokenizer
