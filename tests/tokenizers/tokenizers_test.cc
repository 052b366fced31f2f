// Ids against those of the PyPI packages tokenizers, tiktoken and sentencepiece, by the checksums in
// data/golden.json (make_golden.py wrote them), and texts that come back from their ids.
//   GALLEY_TOKENIZER_CHUNKS  how much of the text is taken, in chunks of 64 KiB (default 4)
//   GALLEY_VOCABULARIES      a folder with the published vocabularies that make_golden.py names
//   GALLEY_TOKENIZER_GOLDEN  another file of checksums, as make_golden.py writes it for a text of one's own
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "runtime/tokenizer/testing.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/support/paths.h"
#include "tests/tokenizers/sample_text.h"

namespace galley::tokenizer {
namespace {

using Json = nlohmann::json;

std::string Data(const std::string& name) { return SourceDir() + "/tests/tokenizers/data/" + name; }

std::string Crc(const void* bytes, size_t size) {
  return absl::StrFormat("%08x", crc32(0, static_cast<const Bytef*>(bytes), static_cast<uInt>(size)));
}

class TokenizersTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* given = std::getenv("GALLEY_TOKENIZER_GOLDEN");
    golden_ = new Json(Json::parse(ReadAll(given != nullptr ? given : Data("golden.json"))));
    if (golden_->contains("text")) text_ = new std::string(ReadAll(golden_->at("text").get<std::string>()));
    snippets_ = new std::vector<std::string>(
        Json::parse(ReadAll(Data("snippets.json"))).get<std::vector<std::string>>());
  }
  static std::string Chunk(size_t n) {
    const size_t size = golden_->at("chunk_bytes").get<size_t>();
    return text_ != nullptr ? ChunkOfText(*text_, n, size) : SampleText(n, size, *snippets_);
  }
  static std::string Damaged(size_t n) {
    return DamagedText(n, golden_->at("chunk_bytes").get<size_t>(), *snippets_);
  }
  static size_t Chunks() {
    const char* given = std::getenv("GALLEY_TOKENIZER_CHUNKS");
    return given != nullptr ? std::strtoul(given, nullptr, 10) : 4;
  }
  // The path of a case's file, empty when this machine has none.
  static std::string PathOf(const Json& c) {
    const std::string file = c.at("file");
    if (!c.at("published").get<bool>()) return Data(file);
    const char* folder = std::getenv("GALLEY_VOCABULARIES");
    const std::string path =
        folder != nullptr ? std::string(folder) + "/" + file : SharedFile("data/tokenizers/" + file);
    return FileExists(path) ? path : "";
  }
  static TokenizerSpec SpecOf(const Json& c, const std::string& path) {
    TokenizerSpec spec{.file = path, .pattern = c.at("pattern")};
    for (const KindInfo& info : Kinds()) {
      if (info.name == c.at("kind").get<std::string>()) spec.kind = info.kind;
    }
    spec.special_tokens_in_text = c.at("special");
    if (spec.kind == TokenizerKind::kGpt2) {
      spec.vocab = path + "/vocab.json";
      spec.merges = path + "/merges.txt";
    }
    return spec;
  }
  // Compares the ids of `text` of so many chunks at the most; the number of those compared.
  static size_t Compare(const Json& c, const std::string& sums, std::string (*text)(size_t)) {
    const std::string path = PathOf(c);
    if (path.empty()) return 0;
    const auto tokenizer = MakeTokenizer(SpecOf(c, path));
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    if (!tokenizer.ok()) return 0;
    const auto encoder = (*tokenizer)->NewEncoder();
    const std::vector<std::string> wanted = absl::StrSplit(sums, ' ', absl::SkipEmpty());
    const size_t chunks = std::min(Chunks(), wanted.size());
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      std::vector<int32_t> ids;
      const absl::Status status = encoder->Encode(text(chunk), ids);
      EXPECT_TRUE(status.ok()) << path << ": " << status;
      EXPECT_EQ(Crc(ids.data(), ids.size() * sizeof(ids[0])), wanted[chunk])
          << path << " " << c.at("pattern") << " special " << c.at("special") << " chunk " << chunk;
    }
    return chunks;
  }
  static const Json* golden_;
  static const std::vector<std::string>* snippets_;
  static const std::string* text_;
};
const Json* TokenizersTest::golden_ = nullptr;
const std::vector<std::string>* TokenizersTest::snippets_ = nullptr;
const std::string* TokenizersTest::text_ = nullptr;

TEST_F(TokenizersTest, TheTextIsTheOneThatWasMeasured) {
  const std::string text = Chunk(0);
  EXPECT_EQ(Crc(text.data(), text.size()), golden_->at("first_text"));
}

TEST_F(TokenizersTest, IdsAreThoseOfThePackages) {
  size_t compared = 0;
  for (const Json& c : golden_->at("cases")) compared += Compare(c, c.at("sums"), Chunk);
  EXPECT_GE(compared, 20u);
}

// Bytes that are no UTF-8 are U+FFFD each for kinds that know characters.
TEST_F(TokenizersTest, IdsOfDamagedTextAreThoseOfThePackages) {
  if (text_ != nullptr) GTEST_SKIP() << "a text of one's own is not damaged";
  size_t compared = 0;
  for (const Json& c : golden_->at("cases")) compared += Compare(c, c.value("damaged", ""), Damaged);
  EXPECT_GE(compared, 14u * std::min<size_t>(Chunks(), 16));
}

// Kinds whose rules change no text give every valid UTF-8 back, and those of bytes any bytes.
TEST_F(TokenizersTest, TextsComeBack) {
  const std::set<std::string> exact = {"llama3_style.json",    "nemo_style.json",        "llama2_style.json",
                                       "ranks.tiktoken",       "spm_bpe.model",          "gpt2",
                                       "cl100k_base.tiktoken", "o200k_base.tiktoken",    "llama3.model",
                                       "tekken_240718.json",   "deepseek_tokenizer.json"};
  const std::set<std::string> marks = {"llama2_style.json", "spm_bpe.model"};
  int compared = 0;
  for (const Json& c : golden_->at("cases")) {
    const std::string path = PathOf(c);
    // A token with lstrip takes spaces away, and a pattern of one's own may leave some out.
    const bool strips = c.at("file") == "llama2_style.json" && c.at("special").get<bool>();
    if (path.empty() || exact.count(c.at("file")) == 0 || strips ||
        c.at("pattern").get<std::string>().size() > 6)
      continue;
    const auto tokenizer = MakeTokenizer(SpecOf(c, path));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const bool marked = marks.count(c.at("file")) > 0;
    for (size_t chunk = 0; chunk < Chunks(); ++chunk) {
      // Where spaces become marks, a mark in the text comes back as a space. And an added token parts the
      // text, and each part begins with a mark of its own.
      std::string text = !marked && chunk % 4 == 3 ? Damaged(chunk) : Chunk(chunk);
      if (c.at("file") == "llama2_style.json") text = absl::StrReplaceAll(text, {{"foo", "bar"}});
      const std::string want = marked ? absl::StrReplaceAll(text, {{"▁", " "}}) : text;
      std::vector<int32_t> ids;
      std::string back, parts;
      ASSERT_TRUE((*tokenizer)->NewEncoder()->Encode(text, ids).ok());
      ASSERT_TRUE((*tokenizer)->Decode(ids, back).ok());
      ASSERT_EQ(back, want) << path;
      // And a token at a time.
      for (size_t i = 0; i < ids.size(); ++i) {
        ASSERT_TRUE((*tokenizer)->Decode(std::span(&ids[i], 1), parts, i > 0).ok());
      }
      ASSERT_EQ(parts, want) << path;
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace galley::tokenizer
