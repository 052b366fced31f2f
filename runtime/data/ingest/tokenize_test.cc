#include "runtime/data/ingest/tokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/data/ingest/documents.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::ElementsAre;

std::string Gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class TokenizeTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  std::string Write(const std::string& name, const std::string& text) {
    WriteText(Path(name), text);
    return Path(name);
  }
  TokenizeOptions Options(std::vector<std::string> inputs) {
    TokenizeOptions options;
    options.inputs = std::move(inputs);
    options.output = Path("out_text_document");
    return options;
  }
  absl::Status Run(const TokenizeOptions& options) { return Tokenize(*tokenizer_, options).status(); }
  // The documents that were written, decoded.
  std::vector<std::string> Documents() {
    std::vector<std::string> documents;
    const absl::StatusOr<IndexedDataset> set = IndexedDataset::Open(Path("out_text_document"));
    EXPECT_TRUE(set.ok()) << set.status();
    if (!set.ok()) return documents;
    EXPECT_TRUE(set->Verify().ok());
    for (int64_t d = 0; d < set->documents(); ++d) {
      documents.emplace_back();
      EXPECT_TRUE(tokenizer_->Decode(*set->ReadTokens(*set->DocumentTokens(d)), documents.back()).ok());
    }
    return documents;
  }
  std::vector<std::string> Cut(const std::string& text, DocumentUnit unit) {
    TokenizeOptions options = Options({Write("cut.txt", text)});
    options.document = unit;
    EXPECT_TRUE(Run(options).ok());
    return Documents();
  }
  TempDir dir_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::MakeByteTokenizer();
};

TEST_F(TokenizeTest, CutsTextIntoDocumentsThatTogetherAreTheText) {
  const std::string text = "\n one\ntwo\n \n\t\r\nthree\n\n\nfour";
  EXPECT_THAT(Cut(text, DocumentUnit::kLine),
              ElementsAre("\n one\n", "two\n \n\t\r\n", "three\n\n\n", "four"));
  EXPECT_THAT(Cut(text, DocumentUnit::kParagraph),
              ElementsAre("\n one\ntwo\n \n\t\r\n", "three\n\n\n", "four"));
  EXPECT_THAT(Cut(text, DocumentUnit::kFile), ElementsAre(text));
  EXPECT_THAT(Cut("a\n\n", DocumentUnit::kParagraph), ElementsAre("a\n\n"));
  EXPECT_THAT(Cut("\n \n", DocumentUnit::kLine), ElementsAre("\n \n"));
}

TEST_F(TokenizeTest, ChunksOfAnySizeCutTheSame) {
  std::mt19937 random(1);
  for (int round = 0; round < 150; ++round) {
    std::string text;
    for (size_t n = random() % 60; n > 0; --n) text += " \n\nab\r"[random() % 6];
    const std::string path = Write("t", text);
    for (const DocumentUnit unit : {DocumentUnit::kLine, DocumentUnit::kParagraph, DocumentUnit::kFile}) {
      for (const bool keep_blank : {true, false}) {
        std::vector<std::string> whole;
        for (const size_t chunk_bytes : {1000, 1, 2, 7}) {
          DocumentReader reader(*TextInput::Open(path), unit, keep_blank, chunk_bytes);
          std::vector<std::string> documents;
          DocumentChunk chunk;
          while (*reader.Next(chunk)) {
            size_t begin = 0;
            for (const size_t end : chunk.ends) {
              documents.push_back(chunk.text.substr(begin, end - begin));
              begin = end;
            }
          }
          if (chunk_bytes == 1000) whole = documents;
          ASSERT_EQ(documents, whole) << chunk_bytes;
          ASSERT_EQ(absl::StrJoin(documents, ""), text);
        }
      }
    }
  }
}

TEST_F(TokenizeTest, JsonlGivesADocumentALineAndEmptyTextsStayDocuments) {
  const std::string path =
      Write("a.jsonl", "{\"text\":\"one\"}\n\n{\"text\":\"\"}\r\n{\"text\":\"tw\\u006f\\n\"}");
  ASSERT_TRUE(Run(Options({path})).ok());
  EXPECT_THAT(Documents(), ElementsAre("one", "", "two\n"));
  EXPECT_EQ(IndexedDataset::Open(Path("out_text_document"))->sequences(), 2);
}

TEST_F(TokenizeTest, OrderIsTheInputsWhateverTheWorkers) {
  std::vector<std::string> inputs, expected;
  std::mt19937 random(2);
  for (int f = 0; f < 5; ++f) {
    std::string text;
    for (int d = 0; d < 20000; ++d) {
      const std::string words = absl::StrCat("file ", f, " line ", d, " ", std::string(random() % 200, 'x'));
      absl::StrAppend(&text, "{\"text\": \"", words, "\"}\n");
      expected.push_back(words);
    }
    const std::string name = absl::StrCat("f", f, ".jsonl");
    if (f == 1) {
      // Two members, as `cat a.gz b.gz` makes them.
      inputs.push_back(Write(name + ".gz", Gzip(text.substr(0, 100001)) + Gzip(text.substr(100001))));
    } else if (f == 3) {
      inputs.push_back(Write(name + ".zst", Zstd(text.substr(0, 100001)) + Zstd(text.substr(100001))));
    } else {
      inputs.push_back(Write(name, text));
    }
  }
  for (const int workers : {1, 4}) {
    TokenizeOptions options = Options(inputs);
    options.workers = workers;
    const auto report = Tokenize(*tokenizer_, options);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->documents, 100000);
    EXPECT_EQ(report->input_bytes, report->input_total);
    EXPECT_EQ(Documents(), expected) << workers;
  }
}

TEST_F(TokenizeTest, ABadLineFailsWithItsPlaceAndLeavesNothing) {
  std::string text;
  for (int d = 0; d < 50000; ++d) absl::StrAppend(&text, "{\"text\":\"line ", d, " of many\"}\n");
  for (const int workers : {1, 3}) {
    TokenizeOptions options = Options({Write("bad.jsonl", text + "\n{\"text\":1}\n" + text)});
    options.workers = workers;
    EXPECT_ERROR(Run(options), "bad.jsonl:50002:9: the value of 'text' is not a string");
  }
  EXPECT_THAT(*ListDir(dir_.path()), ElementsAre("bad.jsonl"));
}

TEST_F(TokenizeTest, ProgressReachesTheEnd) {
  TokenizeOptions options = Options({Write("a.txt", "one\n\ntwo\n")});
  TokenizeProgress last;
  options.progress = [&last](const TokenizeProgress& progress) { last = progress; };
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(last.documents, 2);
  EXPECT_EQ(last.tokens, 9);
  EXPECT_EQ(last.text_bytes, 9);
  EXPECT_EQ(last.input_bytes, 9);
  EXPECT_EQ(last.SecondsLeft(), 0);
}

TEST_F(TokenizeTest, EodNeedsRoomInTheVocabulary) {
  TokenizeOptions options = Options({Write("a.txt", "one")});
  options.append_eod = true;
  EXPECT_ERROR(Run(options), "the vocabulary of tokenizer bytes (256 ids) has no end-of-document id");
}

TEST_F(TokenizeTest, EodEndsEveryDocumentThatHoldsText) {
  const std::string vocab = SharedFile("data/tokenizers/gpt2/vocab.json");
  if (vocab.empty()) GTEST_SKIP() << "no GPT-2 vocabulary on this machine";
  tokenizer_ = *tokenizer::MakeTokenizer({.kind = tokenizer::TokenizerKind::kGpt2,
                                          .vocab = vocab,
                                          .merges = SharedFile("data/tokenizers/gpt2/merges.txt")});
  TokenizeOptions options =
      Options({Write("a.jsonl", "{\"text\":\"Hello world\"}\n{\"text\":\"\"}\n{\"text\":\" x\"}")});
  options.append_eod = true;
  ASSERT_TRUE(Run(options).ok());
  const IndexedDataset set = *IndexedDataset::Open(Path("out_text_document"));
  EXPECT_EQ(set.type(), TokenType::kU16);
  EXPECT_EQ(set.documents(), 3);
  EXPECT_THAT(*set.ReadTokens({0, set.tokens()}), ElementsAre(15496, 995, 50256, 2124, 50256));
}

TEST_F(TokenizeTest, InputsThatAreNoneAreNamed) {
  EXPECT_ERROR(Run(Options({})), "no input file");
  EXPECT_ERROR(Run(Options({Path("none.txt")})), "none.txt");
  EXPECT_ERROR(Run(Options({Write("empty.txt", "")})), "empty.txt: no document");
  EXPECT_ERROR(Run(Options({Write("blank.jsonl", "\n\n")})), "blank.jsonl: no document");
  const std::string packed = Gzip(std::string(300000, 'a') + Path("salt"));
  EXPECT_ERROR(Run(Options({Write("cut.txt.gz", packed.substr(0, packed.size() - 9))})),
               "compressed text is cut off");
  EXPECT_ERROR(Run(Options({Write("text.gz", "plain text")})), "text.gz: before offset 10: no gzip data");
  EXPECT_ERROR(Run(Options({Write("text.zst", "plain text")})), "no zstd data");
  const std::string zstd = Zstd(std::string(300000, 'a'));
  EXPECT_ERROR(Run(Options({Write("cut.zst", zstd.substr(0, zstd.size() - 2))})),
               "compressed text is cut off");
}

TEST_F(TokenizeTest, ShakespeareComesBack) {
  const std::string path = SharedFile("data/text/tinyshakespeare.txt");
  if (path.empty()) GTEST_SKIP() << "no tinyshakespeare on this machine";
  const std::string text = ReadText(path);
  TokenizeOptions options = Options({path});
  options.workers = 2;
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(absl::StrJoin(Documents(), ""), text);
  EXPECT_EQ(Documents().size(), 7222u);  // paragraphs
  tokenizer_ = *tokenizer::MakeTokenizer({.kind = tokenizer::TokenizerKind::kGpt2,
                                          .vocab = SharedFile("data/tokenizers/gpt2/vocab.json"),
                                          .merges = SharedFile("data/tokenizers/gpt2/merges.txt")});
  options.document = DocumentUnit::kFile;
  ASSERT_TRUE(Run(options).ok());
  EXPECT_THAT(Documents(), ElementsAre(text));
  EXPECT_EQ(IndexedDataset::Open(options.output)->tokens(), 338025);
}

}  // namespace
}  // namespace galley::data
