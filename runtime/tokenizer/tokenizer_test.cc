#include "runtime/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "runtime/tokenizer/testing.h"

namespace galley::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

TEST(ByteTokenizerTest, EveryByteIsItsOwnId) {
  const std::unique_ptr<Tokenizer> tokenizer = MakeByteTokenizer();
  std::string all;
  for (int b = 0; b < 256; ++b) all.push_back(static_cast<char>(b));
  const std::vector<int32_t> ids = Encode(*tokenizer, all);
  for (int b = 0; b < 256; ++b) EXPECT_EQ(ids[static_cast<size_t>(b)], b);
  EXPECT_EQ(Decode(*tokenizer, ids), all);
  EXPECT_EQ(tokenizer->vocab(), 256);
  EXPECT_FALSE(tokenizer->eod().has_value());
  std::string text;
  EXPECT_ERROR(tokenizer->Decode(std::vector<int32_t>{65, 256}, text), "id 256 is not a byte");
}

TEST(TokenizerTest, IsMadeFromFilesOrTheCommandLine) {
  EXPECT_EQ((*MakeTokenizer(*ParseTokenizer("bytes")))->kind(), TokenizerKind::kBytes);
  EXPECT_EQ(ParseTokenizer("gpt2:/x/y")->vocab, "/x/y/vocab.json");
  EXPECT_ERROR(ParseTokenizer("gpt2:").status(), "is not known");
  EXPECT_ERROR(ParseTokenizer("sentencepiece").status(), "write bytes, gpt2:DIR");
  EXPECT_ERROR(MakeTokenizer(*ParseTokenizer("gpt2:/nowhere")).status(), "/nowhere/vocab.json: no such file");
}

// What the table says of kinds is all that the command line knows.
TEST(TokenizerTest, EveryKindOfOneFileIsNamedOnTheCommandLine) {
  for (const KindInfo& info : Kinds()) {
    EXPECT_EQ(&Info(info.kind), &info) << info.name;
    EXPECT_EQ(Name(info.kind), info.name);
    if (info.files != KindFiles::kFile) continue;
    const auto spec = ParseTokenizer(absl::StrCat(info.name, ":/x/y"));
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->kind, info.kind);
    EXPECT_THAT(FilesOf(*spec), ElementsAreArray({"/x/y"}));
    EXPECT_ERROR(MakeTokenizer({.kind = info.kind}).status(),
                 absl::StrCat("tokenizer ", info.name, ": name its file"));
    EXPECT_ERROR(ParseTokenizer("none").status(), info.meaning);  // it says what there is
  }
  EXPECT_THAT(CommandLineForms(),
              testing::StartsWith("bytes, gpt2:DIR with vocab.json and merges.txt in DIR, "
                                  "or a file: a tokenizer.json, "));
  EXPECT_EQ(NamesOfKinds(KindFiles::kFile), "huggingface, tiktoken, tekken, sentencepiece or wordpiece");
}

TEST(TokenizerTest, AFileIsOfOneKindAtMost) {
  const std::pair<const char*, std::optional<TokenizerKind>> files[] = {
      {" {\"model\": {}}", TokenizerKind::kHuggingFace},
      {"{\"default_vocab_size\": 7}", TokenizerKind::kTekken},
      {"\n\x0f\n\x05piece", TokenizerKind::kSentencePiece},
      {"[PAD]\n[UNK]\n", TokenizerKind::kWordPiece},
      {"IQ== 0\nIg== 1\n", TokenizerKind::kTiktoken},
      {"a text\n", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [text, kind] : files) {
    EXPECT_EQ(Recognise(text), kind) << text;
    int64_t takers = 0;
    for (const KindInfo& info : Kinds()) takers += info.recognises != nullptr && info.recognises(text);
    EXPECT_EQ(takers, kind.has_value() ? 1 : 0) << text;
  }
}

}  // namespace
}  // namespace galley::tokenizer
